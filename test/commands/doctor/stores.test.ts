import { readdirSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { SETUP_CHECKS, STORE_CHECKS } from '../../../commands/doctor/checks.ts';
import { examine } from '../../../commands/doctor/examine.ts';
import { type KeyState, type Stores, surveyStores } from '../../../commands/doctor/stores.ts';
import { loadSettings, type Settings } from '../../../config/settings.ts';
import { migrations } from '../../../storage/migrations/index.ts';
import type { DatabaseSurvey } from '../../../storage/survey.ts';
import { rotateKeys } from '../../../tokens/key-operations.ts';
import { DAY, MINUTE, SECOND, TestClock } from '../../support/clock.ts';
import { openAsItIs } from '../../../storage/database.ts';
import {
  onEngines,
  temporaryDatabase,
  temporaryFile,
  temporaryPlace,
} from '../../support/database.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { failureOf } from '../../support/failure.ts';
import { type Expected, expectFinding } from '../../support/findings.ts';
import { freshSecret, startProcess } from '../../support/keys.ts';
import { skipWithoutRedisServer, startRedis } from '../../support/redis-server.ts';

const settingsOf = (environment: Record<string, string> = {}): Settings =>
  loadSettings({ NODE_ENV: 'test', ...environment });

const NOW = Date.parse('2026-11-25T12:00:00Z');

const DATABASE: DatabaseSurvey = {
  engine: 'PostgreSQL',
  version: '17.2 (Debian 17.2-1)',
  migrationsLeft: [],
  pings: [1, 90, 1],
  ahead: 30,
  durability: { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on' },
  superuser: false,
};

const KEY: KeyState = {
  kid: 'k1',
  algorithm: 'ES256',
  state: 'signing',
  since: NOW - 10 * DAY,
  next: undefined,
  successorAt: NOW + 80 * DAY,
  previous: false,
};

const INFO = {
  redis_version: '7.2.4',
  aof_enabled: '1',
  aof_last_write_status: 'ok',
  rdb_last_bgsave_status: 'ok',
  maxmemory: '104857600',
  maxmemory_policy: 'noeviction',
};

const GOOD: Stores = {
  settings: settingsOf({ DATABASE_URL: 'postgres://c:x@localhost/c' }),
  clock: { now: () => NOW },
  database: DATABASE,
  keys: [KEY],
  redis: { pings: [1, 1, 80], ahead: -20, info: INFO },
};

const database = (change: Partial<DatabaseSurvey>): Partial<Stores> => ({
  database: { ...DATABASE, ...change },
});
const key = (change: Partial<KeyState>): Partial<Stores> => ({ keys: [{ ...KEY, ...change }] });
const redisSays = (change: Partial<typeof INFO>): Partial<Stores> => ({
  redis: { pings: [1], ahead: 0, info: { ...INFO, ...change } },
});

type Row = Expected & { readonly stores: Partial<Stores> };

const ROWS: readonly Row[] = [
  {
    check: 'database',
    stores: database({ version: '13.20' }),
    verdict: 'wrong',
    what: /^PostgreSQL 13\.20 has had no fixes since 2025-11-13\.$/,
    asvs: '15.2.1',
  },
  {
    check: 'database',
    stores: database({ migrationsLeft: ['0005-attempts'] }),
    verdict: 'note',
    what: /^The tables lack a migration: 0005-attempts\.$/,
    change: 'coatcheck migrate',
  },
  ...['fsync', 'full_page_writes', 'synchronous_commit'].map((name): Row => ({
    check: 'durability',
    stores: database({ durability: { ...DATABASE.durability, [name]: 'off' } }),
    verdict: 'wrong',
    what: new RegExp(`^The server has ${name}=off\\.$`),
    change: `alter system set ${name} = on`,
  })),
  {
    check: 'durability',
    stores: database({ superuser: true }),
    verdict: 'note',
    what: /^The user of DATABASE_URL is a superuser/,
    asvs: '13.2.2',
    change: 'createuser',
  },
  {
    check: 'latency',
    stores: database({ pings: [1, 30, 31] }),
    verdict: 'note',
    what: /^PostgreSQL answers in 30 ms \(median of 3\)\.$/,
    change: 'DATABASE_URL=',
  },
  {
    check: 'latency',
    stores: database({ pings: [300, 250, 1] }),
    verdict: 'wrong',
    what: /^PostgreSQL answers in 250 ms/,
  },
  {
    check: 'session latency',
    stores: { redis: { pings: [25], ahead: 0, info: INFO } },
    verdict: 'note',
    what: /^Redis answers in 25 ms/,
    change: 'SESSION_STORE_URL=',
  },
  {
    check: 'sessions',
    stores: { redis: { pings: [1], ahead: undefined, info: undefined } },
    verdict: 'note',
    what: /may not ask Redis/,
    change: '+info +time',
  },
  {
    check: 'sessions',
    stores: redisSays({ redis_version: '6.2.1' }),
    verdict: 'wrong',
    what: /^Redis 6\.2\.1 is older/,
    asvs: '15.2.1',
  },
  {
    check: 'sessions',
    stores: redisSays({ maxmemory_policy: 'allkeys-lru' }),
    verdict: 'wrong',
    what: /^maxmemory-policy is allkeys-lru\.$/,
    change: 'maxmemory-policy noeviction',
  },
  {
    check: 'sessions',
    stores: redisSays({ maxmemory_policy: 'allkeys-lru', maxmemory: '0' }),
    verdict: 'note',
    what: /^maxmemory-policy is allkeys-lru\.$/,
  },
  {
    check: 'sessions',
    stores: redisSays({ aof_enabled: '0' }),
    verdict: 'note',
    what: /appendonly is off/,
    change: 'appendonly yes',
  },
  {
    check: 'sessions',
    stores: redisSays({ rdb_last_bgsave_status: 'err' }),
    verdict: 'wrong',
    what: /cannot save to its disk \(rdb_last_bgsave_status\)/,
  },
  {
    check: 'clocks',
    stores: database({ ahead: 31 * SECOND }),
    verdict: 'wrong',
    what: /^The clock of PostgreSQL is 31 s ahead of the one here\.$/,
    asvs: '16.2.2',
    change: 'chrony',
  },
  {
    check: 'clocks',
    stores: { redis: { pings: [1], ahead: -5 * SECOND, info: INFO } },
    verdict: 'note',
    what: /^The clock of Redis is 5 s behind the one here\.$/,
    asvs: '16.2.2',
  },
  {
    check: 'clocks',
    stores: key({ since: NOW + 5 * MINUTE }),
    verdict: 'wrong',
    what: /^A key was made later than now/,
    asvs: '16.2.2',
  },
  {
    check: 'keys',
    stores: key({ fault: 'KEY_ENCRYPTION_SECRET has no secret that …' }),
    verdict: 'wrong',
    what: /^The key k1, which is signing, cannot sign: KEY_ENCRYPTION_SECRET/,
    change: 'KEY_ENCRYPTION_SECRET=<the present list>,',
  },
  {
    check: 'keys',
    stores: key({ state: 'retired', fault: 'The signing key k1 is damaged' }),
    verdict: 'note',
    what: /^The key k1, which is retired, cannot sign/,
  },
  {
    check: 'keys',
    stores: key({ algorithm: 'PS256', bits: 2048 }),
    verdict: 'note',
    what: /^The key k1 has 2048 bits\.$/,
    asvs: '11.2.3',
    change: 'coatcheck key rotate',
  },
  {
    check: 'keys',
    stores: key({ successorAt: NOW - 2 * DAY }),
    verdict: 'wrong',
    what: /and no other one is published\.$/,
    asvs: '13.3.4',
    change: 'coatcheck key rotate',
  },
  {
    check: 'keys',
    stores: key({ algorithm: 'HS256', successorAt: undefined, since: NOW - 400 * DAY }),
    verdict: 'note',
    what: /^JWT_SECRET_KEY has signed for 400 days\.$/,
    asvs: '13.3.4',
    change: 'JWT_SECRET_KEY=',
  },
  {
    check: 'keys',
    stores: { keys: [KEY, { ...KEY, kid: 'k0', state: 'gone', previous: true }] },
    verdict: 'note',
    what: /^JWT_SECRET_KEY_PREVIOUS has a secret whose last token has expired\.$/,
    asvs: '13.3.4',
    change: 'JWT_SECRET_KEY_PREVIOUS=',
  },
];

describe('coatcheck doctor, of the stores', function () {
  this.timeout(120_000);
  for (const { stores, ...expected } of ROWS) {
    it(`says: ${expected.what.source}`, async () => {
      await expectFinding(STORE_CHECKS, expected, { bad: { ...GOOD, ...stores }, good: GOOD });
    });
  }

  it('finds nothing with good ones, with SQLite, and where nothing has been made yet', async () => {
    const sqlite: Stores = {
      ...GOOD,
      settings: settingsOf({ DATABASE_URL: 'sqlite:/srv/x.db' }),
      database: {
        ...DATABASE,
        engine: 'SQLite',
        version: '3.50.4',
        ahead: undefined,
        durability: {},
      },
      redis: undefined,
    };
    for (const stores of [GOOD, sqlite, { ...sqlite, database: undefined, keys: [] }]) {
      const results = await examine(STORE_CHECKS, stores, () => undefined);
      expect(results.filter(({ verdict }) => verdict !== 'fine')).to.deep.equal([]);
      expect(results.map(({ check }) => check)).to.deep.equal(Object.keys(STORE_CHECKS));
    }
  });

  it('makes no file of SQLite, and no directory', async () => {
    using directory = temporaryDirectory();
    const settings = settingsOf({ DATABASE_URL: `sqlite:${directory.path}/data/new.db` });
    const { database: found } = await surveyStores(settings, new TestClock());
    expect(found).to.equal(undefined);
    await examine(SETUP_CHECKS, { settings, clock: new TestClock() }, () => undefined);
    expect(readdirSync(directory.path)).to.deep.equal([]);
  });

  it('leaves SQLite as it was, without a file beside it, and cannot write there', async () => {
    await using temporary = await temporaryFile();
    await temporary.database.close();
    const settings = settingsOf({ DATABASE_URL: temporary.url });
    await surveyStores(settings, new TestClock());
    expect(readdirSync(temporary.directory)).to.deep.equal(['test.db']);
    const opened = await openAsItIs(temporary.url);
    const writing = opened.kysely.deleteFrom('users').execute();
    expect((await failureOf(writing)).message).to.include('read-only');
    await opened.close();
    const missing = await failureOf(openAsItIs(`sqlite:${temporary.directory}/missing.db`));
    expect(missing.message).to.match(/^The database cannot be opened: .*missing\.db/);
    expect(readdirSync(temporary.directory)).to.deep.equal(['test.db']);
  });

  it('says that a store is away, as a start does', async () => {
    const settings = settingsOf({ SESSION_STORE_URL: 'redis://127.0.0.1:1' });
    const error = await failureOf(surveyStores(settings, new TestClock()));
    expect(error.message).to.match(/^The session store at 127\.0\.0\.1:1 cannot be reached/);
  });
});

onEngines((engine) =>
  describe(`coatcheck doctor, of a real ${engine}`, function () {
    this.timeout(120_000);
    const ES256 = { JWT_ALGORITHM: 'ES256' };

    it('sees that the tables are missing, and makes none', async () => {
      await using place = await temporaryPlace(engine);
      if (engine === 'SQLite') writeFileSync(place.url.slice('sqlite:'.length), '');
      const settings = settingsOf({ DATABASE_URL: place.url });
      for (let times = 0; times < 2; times += 1) {
        const { database: found, keys } = await surveyStores(settings, new TestClock());
        expect(found?.migrationsLeft).to.deep.equal(Object.keys(migrations));
        expect(keys).to.deep.equal([]);
      }
    });

    it('reads version, time, latency and keys, and writes nothing', async () => {
      await using temporary = await temporaryDatabase(engine);
      const clock = new TestClock();
      await startProcess(temporary.database, clock, ES256);
      const before = await temporary.database.kysely
        .selectFrom('signing_keys')
        .selectAll()
        .execute();
      const settings = settingsOf({ ...ES256, DATABASE_URL: temporary.url });
      const stores = await surveyStores(settings, clock);
      expect(stores.database).to.deep.include({ engine, migrationsLeft: [] });
      expect(stores.database?.version).to.match(/^\d+\.\d+/);
      expect(stores.database?.pings).to.have.length(7);
      if (engine === 'PostgreSQL') expect(stores.database?.ahead).to.be.a('number').and.not.NaN;
      expect(stores.keys.map(({ state, fault }) => [state, fault])).to.deep.equal([
        ['signing', undefined],
      ]);
      const after = await temporary.database.kysely
        .selectFrom('signing_keys')
        .selectAll()
        .execute();
      expect(after).to.deep.equal(before);
    });

    it('tries the secrets of the settings on the keys that are there', async () => {
      await using temporary = await temporaryDatabase(engine);
      const clock = new TestClock();
      await startProcess(temporary.database, clock, ES256);
      const environment = {
        ...ES256,
        DATABASE_URL: temporary.url,
        KEY_ENCRYPTION_SECRET: freshSecret(),
      };
      const stores = await surveyStores(settingsOf(environment), clock);
      const results = await examine(STORE_CHECKS, stores, () => undefined);
      const finding = results.find(({ check }) => check === 'keys');
      expect(finding).to.include({ verdict: 'wrong' });
      expect(finding?.what).to.match(
        /cannot sign: KEY_ENCRYPTION_SECRET has no secret that the signing key .*\.$/,
      );
    });

    it('knows the earlier secret that nothing is signed with any more', async () => {
      await using temporary = await temporaryDatabase(engine);
      const clock = new TestClock();
      const [first, second] = [freshSecret(), freshSecret()];
      await startProcess(temporary.database, clock, { JWT_SECRET_KEY: first });
      clock.advance(DAY);
      const changed = { JWT_SECRET_KEY: second, JWT_SECRET_KEY_PREVIOUS: first };
      await startProcess(temporary.database, clock, changed);
      const settings = settingsOf({ ...changed, DATABASE_URL: temporary.url });
      const said = async () =>
        (await examine(STORE_CHECKS, await surveyStores(settings, clock), () => undefined))
          .filter(({ check }) => check === 'keys')
          .map(({ what }) => what);
      expect((await said()).join()).not.to.include('JWT_SECRET_KEY_PREVIOUS');
      clock.advance(2 * DAY);
      expect(await said()).to.deep.equal([
        'JWT_SECRET_KEY_PREVIOUS has a secret whose last token has expired.',
      ]);
    });

    it('sees that a key is overdue, unless its successor is published', async () => {
      await using temporary = await temporaryDatabase(engine);
      const clock = new TestClock();
      const { keys } = await startProcess(temporary.database, clock, ES256);
      clock.advance(100 * DAY);
      const settings = settingsOf({ ...ES256, DATABASE_URL: temporary.url });
      const verdicts = async () =>
        (await examine(STORE_CHECKS, await surveyStores(settings, clock), () => undefined))
          .filter(({ check }) => check === 'keys')
          .map(({ verdict }) => verdict);
      expect(await verdicts()).to.deep.equal(['wrong']);
      await rotateKeys(keys.context, false);
      expect(await verdicts()).to.deep.equal(['fine']);
    });
  }),
);

describe('coatcheck doctor, of a real Redis', function () {
  this.timeout(120_000);
  before(function () {
    skipWithoutRedisServer(this);
  });

  async function said(url: string) {
    using directory = temporaryDirectory();
    const settings = settingsOf({
      DATABASE_URL: `sqlite:${directory.path}/x.db`,
      SESSION_STORE_URL: url,
    });
    const stores = await surveyStores(settings, { now: () => Date.now() });
    const results = await examine(STORE_CHECKS, stores, () => undefined);
    return results.filter(({ check }) => check === 'sessions').map(({ what }) => what);
  }

  it('sees how it keeps what it is given', async () => {
    await using redis = await startRedis('--appendonly', 'yes', '--maxmemory', '10mb');
    expect((await said(redis.url)).join()).to.match(
      /^(?:Redis|Valkey) \d.*: appendonly is on, noeviction\.$/,
    );
    redis.cli('config', 'set', 'appendonly', 'no');
    redis.cli('config', 'set', 'maxmemory-policy', 'volatile-ttl');
    expect(await said(redis.url)).to.deep.equal([
      'maxmemory-policy is volatile-ttl.',
      'Redis does not write down what it is given at once (appendonly is off).',
    ]);
  });

  it('says what a user with just the rights of the service may not ask', async () => {
    await using redis = await startRedis();
    redis.cli('acl', 'setuser', 'small', 'on', '>word', '~*', '+@connection');
    expect((await said(redis.url.replace('//', '//small:word@'))).join()).to.include(
      'may not ask Redis',
    );
  });
});
