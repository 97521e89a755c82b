import { availableParallelism } from 'node:os';
import { expect } from 'chai';
import { authenticate } from '../../users/authenticate.ts';
import { hashesAtOnce, PasswordHasher } from '../../users/password.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import type { UserStore } from '../../users/user-store.ts';
import { TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { withSignOut } from '../../storage/sign-outs.ts';
import { failureOf } from '../support/failure.ts';

/** crypt_blowfish's, for `U*U`. */
const BCRYPT = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
const PASSWORD = 'U*U';

const TODAYS = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;

onEngines((engine) => {
  describe(`a password hash from elsewhere, in ${engine}`, () => {
    let temporary: TemporaryDatabase;
    let users: UserStore;
    let id: string;
    const passwords = new PasswordHasher(1, Infinity);
    const login = async (password: string, hasher = passwords) => {
      const found = await authenticate(users, hasher, { login: 'ada', password, line: 'anyone' });
      return found.user === undefined ? undefined : found;
    };
    const stored = () => users.passwordHash(id);

    beforeEach(async () => {
      temporary = await temporaryDatabase(engine);
      users = sqlUserStore(temporary.database, new TestClock());
      ({ id } = await users.add({ username: 'ada', passwordHash: BCRYPT }));
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    it('is replaced by one of argon2id at the first login, and the password stays', async () => {
      const found = await login(PASSWORD);
      expect(found?.user.id).to.equal(id);
      expect(found && (await temporary.database.transaction(found.stillHolds))).to.be.true;
      expect(await stored()).to.match(TODAYS);
      expect((await login(PASSWORD))?.user.id).to.equal(id);
      expect(await login('U*U*')).to.be.undefined;
    });

    it('that another login has replaced meanwhile does not let a sign-out be missed', async () => {
      class Beaten extends PasswordHasher {
        override async renewed(passwordHash: string, password: string) {
          const replacement = await super.renewed(passwordHash, password);
          if (replacement !== undefined) {
            await users.replacePassword(id, passwordHash, await passwords.hash(password));
            await temporary.database.transaction(withSignOut(id));
          }
          return replacement;
        }
      }
      const found = await login(PASSWORD, new Beaten(1, Infinity));
      expect(found && (await temporary.database.transaction(found.stillHolds))).to.be.false;
    });

    it('is replaced once: a hash of today stays as it is', async () => {
      await login(PASSWORD);
      const first = await stored();
      await login(PASSWORD);
      expect(await stored()).to.equal(first);
    });

    it('of argon2id with other parameters is replaced too', async () => {
      const weak =
        '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
      await users.setPassword(id, weak);
      expect((await login('password'))?.user.id).to.equal(id);
      expect(await stored()).to.match(TODAYS);
    });

    it('that cannot be checked lets nobody in, and is an ordinary wrong password', async () => {
      for (const damaged of [
        '$scrypt$ln=17,r=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
        '$argon2id$v=19$m=19456,t=2,p=1$YWI$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
        'nonsense',
        '',
      ]) {
        await users.setPassword(id, damaged);
        expect(await login(PASSWORD), damaged).to.be.undefined;
      }
    });

    it('stays after a wrong password, and for a user who is disabled', async () => {
      expect(await login('wrong')).to.be.undefined;
      await users.setDisabled(id, true);
      expect(await login(PASSWORD)).to.be.undefined;
      expect(await stored()).to.equal(BCRYPT);
    });

    it('lets in everybody of those who log in at once', async () => {
      const found = await Promise.all(Array.from({ length: 8 }, () => login(PASSWORD)));
      for (const one of found) {
        expect(one?.user.id).to.equal(id);
        expect(one && (await temporary.database.transaction(one.stillHolds))).to.be.true;
      }
      expect(await stored()).to.match(TODAYS);
    });

    it('gives way to a password that is changed meanwhile, and the old one lets nobody in', async () => {
      const changed = await passwords.hash('another gull came by');
      class Slow extends PasswordHasher {
        override async renewed(hash: string, password: string): Promise<string | undefined> {
          const renewed = await super.renewed(hash, password);
          await users.replacePassword(id, BCRYPT, changed);
          return renewed;
        }
      }
      expect(await login(PASSWORD, new Slow())).to.be.undefined;
      expect(await stored()).to.equal(changed);
      expect((await login('another gull came by'))?.user.id).to.equal(id);
    });

    it('lets nobody in whose user is removed meanwhile', async () => {
      class Slow extends PasswordHasher {
        override async renewed(hash: string, password: string): Promise<string | undefined> {
          await users.remove(id);
          return super.renewed(hash, password);
        }
      }
      expect(await login(PASSWORD, new Slow())).to.be.undefined;
    });
  });
});

describe('hashes from elsewhere', function () {
  this.timeout(120_000);

  /** One runs in each slot, 64 wait, and the hasher makes its dummy hash at first. */
  const CAPACITY = hashesAtOnce(availableParallelism(), 1) + 64 - 1;

  it('security 12: are checked within the bounds that hold for all', async () => {
    const passwords = new PasswordHasher(1, Infinity);
    await passwords.hash(PASSWORD); // the dummy hash is made before
    const tries = Array.from({ length: CAPACITY + 11 }, () => passwords.matches(BCRYPT, PASSWORD));
    const outcomes = await Promise.allSettled(tries);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).to.have.length(10);
    for (const outcome of refused) expect(outcome).to.deep.include({ status: 'rejected' });
    expect(await passwords.matches(BCRYPT, PASSWORD)).to.be.true;
  });

  it('are replaced, while nobody else gets a turn, before all that are waiting', async () => {
    const passwords = new PasswordHasher(1, Infinity);
    const waiting = Array.from({ length: CAPACITY }, () => passwords.hash(PASSWORD));
    let done = 0;
    for (const one of waiting) void one.then(() => (done += 1));
    expect(await failureOf(passwords.hash(PASSWORD))).to.include({ code: 'overloaded' });
    expect(await passwords.renewed(BCRYPT, PASSWORD)).to.match(TODAYS);
    expect(done).to.be.below(CAPACITY / 2);
    await Promise.all(waiting);
  });

  const slow: Record<string, string> = {
    bcrypt: '$2a$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    scrypt: '$scrypt$ln=14,r=8,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI',
    PBKDF2: 'pbkdf2_sha256$100000$s$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI=',
    argon2: '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI',
    Firebase: '$firebase-scrypt$ln=14,r=8$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI',
  };
  for (const [kind, hash] of Object.entries(slow)) {
    it(`of ${kind} are checked while everything else goes on`, async () => {
      const passwords = new PasswordHasher(1, Infinity);
      await passwords.hash('the dummy is made first');
      let turns = 0;
      let turn = setImmediate(function next() {
        turns += 1;
        turn = setImmediate(next);
      });
      expect(await passwords.matches(hash, 'wrong')).to.be.false;
      clearImmediate(turn);
      expect(turns).to.be.above(10);
    });
  }
});
