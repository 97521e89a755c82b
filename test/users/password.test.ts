import { availableParallelism } from 'node:os';
import { expect } from 'chai';
import { Problem } from '../../core/errors.ts';
import { authenticate } from '../../users/authenticate.ts';
import { hashesAtOnce, PasswordHasher } from '../../users/password.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import type { UserStore } from '../../users/user-store.ts';
import { TestClock } from '../support/clock.ts';
import { temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';

const PASSWORD = 'a gull stole my umbrella';

describe('security 20: a password', () => {
  const passwords = new PasswordHasher();
  const matches = async (hashed: string, tried: string) =>
    passwords.matches(await passwords.hash(hashed), tried);

  it("is hashed with argon2id at OWASP's parameters, with a salt of its own", async () => {
    const hashes = await Promise.all([passwords.hash(PASSWORD), passwords.hash(PASSWORD)]);
    for (const hash of hashes)
      expect(hash).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(hashes[0]).not.to.equal(hashes[1]);
    expect(hashes.join()).not.to.include(PASSWORD);
  });

  it('matches itself and nothing else', async () => {
    const hash = await passwords.hash(PASSWORD);
    expect(await passwords.matches(hash, PASSWORD)).to.be.true;
    for (const other of [
      '',
      PASSWORD.toUpperCase(),
      `${PASSWORD} `,
      ` ${PASSWORD}`,
      PASSWORD.slice(0, -1),
      hash,
    ]) {
      expect(await passwords.matches(hash, other), other).to.be.false;
    }
  });

  it('is one whether its accents are composed or not', async () => {
    expect(await matches('caf\u00E9 in Montr\u00E9al', 'cafe\u0301 in Montre\u0301al')).to.be.true;
    expect(await matches('cafe\u0301 in Montre\u0301al', 'caf\u00E9 in Montr\u00E9al')).to.be.true;
    expect(await matches('caf\u00E9 in Montr\u00E9al', 'cafe in Montreal')).to.be.false;
  });

  it('keeps apart what only looks alike', async () => {
    expect(await matches('ﬁsh and chips', 'fish and chips')).to.be.false;
  });

  it('counts to its last character', async () => {
    const long = 'x'.repeat(1023);
    expect(await matches(`${long}a`, `${long}a`)).to.be.true;
    expect(await matches(`${long}a`, `${long}b`)).to.be.false;
    expect(await matches('🦄'.repeat(1023) + 'a', '🦄'.repeat(1023) + 'b')).to.be.false;
  });

  it('goes on after a NUL', async () => {
    expect(await matches('secret\u0000one', 'secret\u0000one')).to.be.true;
    expect(await matches('secret\u0000one', 'secret\u0000two')).to.be.false;
    expect(await matches('secret\u0000one', 'secret')).to.be.false;
  });

  it('never matches where there is no hash', async () => {
    for (const tried of ['', 'null', PASSWORD])
      expect(await passwords.matches(null, tried)).to.be.false;
  });
});

describe('security 12: many passwords at once', () => {
  /** One runs in each slot, 64 wait, and the hasher makes its dummy hash at first. */
  const CAPACITY = hashesAtOnce(availableParallelism(), 1) + 64 - 1;

  it('leave a core and a thread to everything else, as long as each process can hash at all', () => {
    expect([1, 2, 3, 8].map((cores) => hashesAtOnce(cores, 1))).to.deep.equal([1, 1, 2, 3]);
    expect([1, 2, 3, 4, 7, 64].map((processes) => hashesAtOnce(8, processes))).to.deep.equal([
      3, 3, 2, 1, 1, 1,
    ]);
  });

  it('are turned away beyond a limit, and taken again afterwards', async function () {
    this.timeout(120_000);
    const passwords = new PasswordHasher(1, Infinity);
    const attempts = Array.from({ length: CAPACITY + 10 }, () => passwords.hash(PASSWORD));
    const outcomes = await Promise.allSettled(attempts);
    const refused = outcomes.flatMap((outcome): unknown[] =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    );
    expect(refused).to.have.length(10);
    for (const problem of refused) {
      expect(problem).to.be.instanceOf(Problem);
      expect(problem).to.deep.include({
        code: 'overloaded',
        status: 503,
        headers: { 'Retry-After': '5' },
      });
    }
    expect(await passwords.hash(PASSWORD)).to.match(/^\$argon2id/);
  });

  it('wait in two lines: strangers who fill theirs keep no known device out, nor before it', async function () {
    this.timeout(120_000);
    const passwords = new PasswordHasher(1, Infinity);
    const hash = await passwords.hash(PASSWORD);
    const ended: string[] = [];
    const strangers = Array.from({ length: CAPACITY + 1 }, () =>
      passwords.matches(hash, PASSWORD).then(() => ended.push('stranger')),
    );
    expect(await failureOf(passwords.matches(hash, PASSWORD))).to.include({ code: 'overloaded' });
    await passwords.matches(hash, PASSWORD, 'known');
    expect(ended.length).to.be.lessThan(5);
    const known = Array.from({ length: 40 }, () => passwords.matches(hash, PASSWORD, 'known'));
    const refused = (await Promise.allSettled(known)).filter(({ status }) => status === 'rejected');
    expect(refused).to.have.lengthOf.within(20, 24); // which is bounded as well
    await Promise.all(strangers);
  });

  it('take two places to wait where they have to be tried in two forms', async function () {
    this.timeout(120_000);
    const passwords = new PasswordHasher(1, Infinity);
    const today = await passwords.hash(PASSWORD);
    const elsewhere = 'pbkdf2_sha256$1$salt$Yu4TpmhtpNaSoC/Jxp/U92IAQIHt27wUHqRv7H/X0fg=';
    const waiting = async (hash: string, password: string) => {
      const busy = Array.from({ length: CAPACITY + 1 - 64 }, () => passwords.hash(PASSWORD));
      const tries = Array.from({ length: 100 }, () => passwords.matches(hash, password));
      const outcomes = await Promise.allSettled(tries);
      await Promise.all(busy);
      return outcomes.filter(({ status }) => status === 'fulfilled').length;
    };
    expect(await waiting(elsewhere, 'cafe')).to.equal(64);
    expect(await waiting(elsewhere, 'cafe\u0301')).to.equal(32);
    expect(await waiting(today, 'cafe\u0301')).to.equal(64);
  });

  it('are turned away once they have waited too long', async function () {
    this.timeout(120_000);
    const passwords = new PasswordHasher(1, -1); // which any wait is
    const attempts = Array.from({ length: CAPACITY }, () => passwords.hash(PASSWORD));
    const outcomes = await Promise.allSettled(attempts);
    const done = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(done.length).to.be.lessThan(hashesAtOnce(availableParallelism(), 1) + 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).to.include({ code: 'overloaded' });
    }
    expect(await passwords.hash(PASSWORD)).to.match(/^\$argon2id/);
  });

  it('are turned away for unknown users just as for known ones', async function () {
    this.timeout(120_000);
    const passwords = new PasswordHasher(1, Infinity);
    const hash = await passwords.hash(PASSWORD);
    const busy = Array.from({ length: CAPACITY + 1 }, () => passwords.hash(PASSWORD));
    expect(await failureOf(passwords.matches(hash, PASSWORD))).to.include({ code: 'overloaded' });
    expect(await failureOf(passwords.matches(null, PASSWORD))).to.include({ code: 'overloaded' });
    await Promise.all(busy);
    expect(await passwords.matches(hash, PASSWORD)).to.be.true;
  });
});

/** The real hasher, which notes what it was asked. */
class WatchedHasher extends PasswordHasher {
  readonly asked: (string | null)[] = [];

  override matches(passwordHash: string | null, password: string): Promise<boolean> {
    this.asked.push(passwordHash);
    return super.matches(passwordHash, password);
  }
}

describe('security 11: a login', () => {
  let temporary: TemporaryDatabase;
  let users: UserStore;
  let hash: string;
  before(async () => {
    hash = await new PasswordHasher(1, Infinity).hash(PASSWORD);
    temporary = await temporaryDatabase('SQLite');
    users = sqlUserStore(temporary.database, new TestClock());
    await users.add({ username: 'ada', email: 'ada@example.org', passwordHash: hash });
    const grace = await users.add({ username: 'grace', passwordHash: hash });
    await users.setDisabled(grace.id, true);
    await users.add({ username: 'bypassed' });
  });
  after(() => temporary[Symbol.asyncDispose]());

  const cases: Record<string, { login: string; password: string; known: boolean; in: boolean }> = {
    'with the right password': { login: 'ada', password: PASSWORD, known: true, in: true },
    'by e-mail address': { login: 'ADA@example.org', password: PASSWORD, known: true, in: true },
    'with a wrong password': { login: 'ada', password: 'wrong', known: true, in: false },
    'with an empty password': { login: 'ada', password: '', known: true, in: false },
    'of a disabled user': { login: 'grace', password: PASSWORD, known: true, in: false },
    'of a disabled user with a wrong password': {
      login: 'grace',
      password: 'wrong',
      known: true,
      in: false,
    },
    'of a user without a password': {
      login: 'bypassed',
      password: PASSWORD,
      known: false,
      in: false,
    },
    'of nobody': { login: 'nobody', password: PASSWORD, known: false, in: false },
    'of nobody, by e-mail address': {
      login: 'nobody@example.org',
      password: PASSWORD,
      known: false,
      in: false,
    },
    'of nothing': { login: '', password: '', known: false, in: false },
  };

  for (const [kind, { login, password, known, in: succeeds }] of Object.entries(cases)) {
    it(`${kind} ${succeeds ? 'is let in' : 'is refused'} after one look at one hash`, async () => {
      const passwords = new WatchedHasher();
      const found = await authenticate(users, passwords, { login, password, line: 'anyone' });
      expect(found.user?.username).to.equal(succeeds ? 'ada' : undefined);
      expect(passwords.asked).to.deep.equal([known ? hash : null]);
    });
  }
});
