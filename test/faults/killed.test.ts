import { expect } from 'chai';
import { systemClock } from '../../core/clock.ts';
import { openDatabase } from '../../storage/database.ts';
import { sqlApiClients } from '../../tokens/api-clients.ts';
import { PasswordHasher } from '../../users/password.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { type Engine, onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { basic } from '../support/introspection.ts';
import { redisKeys, skipWithoutRedis } from '../support/redis.ts';
import { Dice } from './dice.ts';
import { Ledger } from './ledger.ts';
import { at, type Authorization, Person } from './person.ts';

const PEOPLE = 6;
/** Requests that are answered before the process is killed, at most. */
const MOST_ANSWERED = 24;
/** Kills for each engine. Three services, each with a database of its own, share the cores of the machine. */
const KILLS = Number(process.env['FAULTS_KILLS'] ?? 100);
const SERVICES = 3;
const hasher = new PasswordHasher(1, 60_000);

onEngines((engine) => {
  describe(`a service on ${engine} that is killed again and again`, function () {
    this.timeout(1_800_000);

    it(`keeps whatever it has acknowledged, and leaves nothing half done: ${KILLS} times`, async () => {
      await killAgainAndAgain(engine, KILLS);
    });
  });
});

onEngines(
  (engine) => {
    describe('a service with sessions in Redis that is killed again and again', function () {
      this.timeout(900_000);
      before(async function () {
        await skipWithoutRedis(this);
      });

      it('keeps whatever it has acknowledged, and leaves nothing half done', async () => {
        await using redis = await redisKeys();
        await killAgainAndAgain(engine, KILLS / 5, { SESSION_STORE_URL: redis.url });
      });
    });
  },
  ['SQLite'],
);

/** @throws with the seed, by which `FAULTS_SEED` has the same requests again, though not the same moments */
async function killAgainAndAgain(
  engine: Engine,
  times: number,
  more: Record<string, string> = {},
): Promise<void> {
  const dice = new Dice();
  let killed = 0;
  const services = Array.from({ length: SERVICES }, async () =>
    killOne(engine, new Dice(dice.below(2 ** 31)), more, () => (killed += 1) <= times),
  );
  try {
    await Promise.all(services);
  } catch (error) {
    killed = Infinity; // the others need not go on
    await Promise.allSettled(services);
    throw new Error(`with the seed ${dice.seed}: ${String(error)}`, { cause: error });
  }
}

/** @param again whether to kill once more */
async function killOne(
  engine: Engine,
  dice: Dice,
  more: Record<string, string>,
  again: () => boolean,
): Promise<void> {
  await using place = await temporaryPlace(engine);
  using directory = temporaryDirectory();
  const cwd = directory.path;
  await run(['init'], { cwd });
  // the issuer stays the same, whatever port is free
  const env = { DATABASE_URL: place.url, PUBLIC_URL: 'http://localhost:3000', ...more };
  const inRedis = 'SESSION_STORE_URL' in more;
  const start = () => serve({ cwd, env });
  const people = await newPeople(place.url, dice);
  while (again()) {
    await forgetAttempts(place.url);
    await using service = await start();
    await expectAsAcknowledged(people, place.url, service, inRedis);
    await useAndKill(people, service, dice);
  }
  await using service = await start();
  await expectAsAcknowledged(people, place.url, service, inRedis);
  await expectPasswords(people, service);
}

/** A login that was cut short counts as an attempt: so many would be taken for somebody who guesses. */
async function forgetAttempts(url: string): Promise<void> {
  const database = await openDatabase(url);
  try {
    await database.kysely.deleteFrom('attempts').execute();
  } finally {
    await database.close();
  }
}

async function newPeople(url: string, dice: Dice): Promise<Person[]> {
  const database = await openDatabase(url);
  try {
    const users = sqlUserStore(database, systemClock);
    const { client, secret } = await sqlApiClients(database, systemClock).add('an API');
    const api: Authorization = { Authorization: basic(client.id, secret) };
    const names = Array.from({ length: PEOPLE }, (_, index) => `person-${index}`);
    const passwordHash = await hasher.hash(PASSWORD);
    for (const username of names) await users.add({ username, passwordHash });
    return names.map((name) => new Person(name, PASSWORD, new Dice(dice.below(2 ** 31)), api));
  } finally {
    await database.close();
  }
}

/** Everybody is at it when the process dies, at a moment that nobody knows. */
async function useAndKill(people: readonly Person[], service: Served, dice: Dice): Promise<void> {
  const total = () => people.reduce((sum, { answered }) => sum + answered, 0);
  const last = total() + 1 + dice.below(MOST_ANSWERED);
  const all = Promise.all(people.map((person) => person.useUntilGone(service.url)));
  await Promise.race([all, service.until(() => total() >= last)]);
  await new Promise((resolve) => setTimeout(resolve, dice.below(20)));
  expect((await service.stop('SIGKILL')).code, 'killed').to.equal(null);
  await all;
}

/** What the database says and what the service says are what has been acknowledged, no more and no less. */
async function expectAsAcknowledged(
  people: readonly Person[],
  url: string,
  { url: service }: Served,
  inRedis: boolean,
): Promise<void> {
  const ledger = await Ledger.read(url, inRedis);
  expect(ledger.halfEnded, 'sessions without an entry of their own').to.deep.equal([]);
  for (const person of people) {
    await settle(person, ledger);
    for (const { id, ended, token } of person.sessions) {
      expect(ledger.alive.has(id), `session of ${person.username} is alive`).to.equal(!ended);
      if (ended) expect(ledger.isRevoked(token), 'its token is revoked').to.equal(true);
    }
    for (const token of person.deadTokens) {
      expect(ledger.isRevoked(token), 'a token is revoked').to.equal(true);
    }
  }
  await Promise.all(people.map((person) => expectAnswers(person, service)));
}

/** Finds out what has come of the request that was in flight. It has been done whole, or not at all. */
async function settle(person: Person, ledger: Ledger): Promise<void> {
  const { pending } = person;
  const hash = ledger.passwordHash(person.username);
  if (pending === undefined) return expectPassword(person, hash, 'acknowledged');
  const gone = pending.ends.filter(({ id }) => !ledger.alive.has(id)).length;
  const done =
    pending.password !== undefined
      ? await hasher.matches(hash, pending.password)
      : pending.revokes !== undefined
        ? ledger.isRevoked(pending.revokes.token)
        : gone > 0;
  const about = `${pending.what}, ${done ? 'done' : 'not done'}`;
  expect(gone, `sessions that it ended (${about})`).to.equal(done ? pending.ends.length : 0);
  person.settle(done);
  await expectPassword(person, hash, about);
}

/** To find out takes long: a hash that was looked at before is not looked at again. */
async function expectPassword(person: Person, hash: string, about: string): Promise<void> {
  const seen = `${person.password} ${hash}`;
  if (person.seenPassword === seen) return;
  expect(await hasher.matches(hash, person.password), `password (${about})`).to.equal(true);
  person.seenPassword = seen;
}

/** Sessions that are alive are exchanged; those that have ended are not, nor are their tokens accepted. */
async function expectAnswers(person: Person, url: string): Promise<void> {
  for (const known of person.sessions.filter(({ seenEnded }) => !seenEnded)) {
    const { status } = await at(url, known).get('/auth/token');
    expect(status, 'exchange').to.equal(known.ended ? 401 : 200);
    if (known.ended) expect(await me(url, known.token), 'profile').to.equal(401);
    else if (person.deadTokens.includes(known.token)) await person.renewToken(url, known);
    known.seenEnded = known.ended;
  }
  for (const token of person.deadTokens) expect(await me(url, token)).to.equal(401);
  person.deadTokens.splice(0);
}

async function me(url: string, token: string): Promise<number> {
  return (await new Client(url).get('/auth/me', { Authorization: `Bearer ${token}` })).status;
}

async function expectPasswords(people: readonly Person[], { url }: Served): Promise<void> {
  for (const { username, password } of people) {
    expect((await new Client(url).login(username, password)).status).to.equal(200);
    expect((await new Client(url).login(username, `${password}!`)).status).to.equal(401);
  }
}
