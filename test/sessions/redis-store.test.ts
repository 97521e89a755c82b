import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { expect } from 'chai';
import session from 'express-session';
import { sql } from 'kysely';
import pino from 'pino';
import { StorageError } from '../../core/errors.ts';
import { RedisSessionStore } from '../../sessions/redis-store.ts';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import type { AllocateEntry, SessionStore, SignIn } from '../../sessions/session-store.ts';
import type { Database } from '../../storage/database.ts';
import { redisAddress } from '../../storage/redis-address.ts';
import { RedisConnection } from '../../storage/redis-connection.ts';
import { sqlStatusLists } from '../../tokens/status-lists.ts';
import { expressSessionContract } from '../contracts/express-session-store.ts';
import { type SessionEngine, sessionStoreContract } from '../contracts/session-store.ts';
import { DAY, HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { type Engine, onEngines, temporaryDatabase } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { refuse } from '../support/refuse.ts';
import { type RedisKeys, redisKeys, skipWithoutRedis } from '../support/redis.ts';

/** Tests share a machine: nothing but a test of the deadline should run into it. Milliseconds. */
const PATIENT = 30_000;

interface RedisEngine extends SessionEngine {
  readonly keys: RedisKeys;
  readonly database: Database;
}

async function redisSessions(
  lifetime: SessionLifetime,
  sqlEngine: Engine = 'SQLite',
): Promise<RedisEngine> {
  const keys = await redisKeys();
  const temporary = await temporaryDatabase(sqlEngine);
  const { database } = temporary;
  const otherDatabase = await temporary.another();
  const [redis, otherRedis] = [await connect(keys.url), await connect(keys.url)];
  const clock = new TestClock();
  const common = { clock, lifetime, log: pino({ level: 'silent' }) };
  return {
    keys,
    database,
    store: new RedisSessionStore({ redis, database, ...common }),
    otherProcess: new RedisSessionStore({ redis: otherRedis, database: otherDatabase, ...common }),
    clock,
    statusLists: sqlStatusLists(database, clock),
    async fail(step) {
      if (step === 'revoking an entry') {
        return refuse(database, sqlEngine, 'update', 'status_entries');
      }
      // a sorted set that is none cannot be asked whose sessions are to be removed
      for (const name of await keys.names()) {
        if (name.startsWith('user:')) await keys.client.set(keys.prefix + name, 'none');
      }
    },
    async count() {
      return (await keys.names()).filter((name) => name.startsWith('session:')).length;
    },
    async atRest() {
      const names = await keys.names();
      const sessions = names.filter((name) => name.startsWith('session:'));
      const hashes = sessions.map((name) => keys.client.hGetAll(keys.prefix + name));
      return JSON.stringify([names, await Promise.all(hashes)]);
    },
    async breakDown() {
      redis.close();
      await database.close();
    },
    async [Symbol.asyncDispose]() {
      redis.close();
      otherRedis.close();
      await temporary[Symbol.asyncDispose]();
      await keys[Symbol.asyncDispose]();
    },
  };
}

async function connect(url: string): Promise<RedisConnection> {
  const address = redisAddress(url);
  if (typeof address === 'string') throw new Error(address);
  const redis = new RedisConnection(address, pino({ level: 'silent' }), PATIENT);
  await redis.untilReady();
  return redis;
}

describe('where Redis answers,', () => {
  before(function () {
    return skipWithoutRedis(this);
  });
  onEngines((engine) => {
    const open = (lifetime: SessionLifetime) => redisSessions(lifetime, engine);
    sessionStoreContract(`Redis and ${engine}`, open);
    expressSessionContract(`Redis and ${engine}`, open);
  });

  describe('sessions in Redis', () => {
    const LIFETIME = { idleTimeout: DAY / SECOND, lifetime: (7 * DAY) / SECOND };
    let engine: RedisEngine;
    let store: SessionStore;
    beforeEach(async () => {
      engine = await redisSessions(LIFETIME);
      ({ store } = engine);
    });
    afterEach(() => engine[Symbol.asyncDispose]());

    const allocate: AllocateEntry = (end, holder) => engine.statusLists.allocate(end, holder);
    const isRevoked = ({ status }: SignIn) => engine.statusLists.isRevoked(status);

    async function kept(id: string, lifetime = LIFETIME.lifetime * SECOND): Promise<SignIn> {
      const publicId = randomUUID();
      const createdAt = engine.clock.now();
      const expiresAt = createdAt + lifetime;
      const user: SignIn = {
        publicId,
        userId: 'ada',
        amr: 'pwd',
        createdAt,
        expiresAt,
        address: null,
        userAgent: null,
        status: await allocate(expiresAt, { sessionId: publicId, userId: 'ada' }),
      };
      const data = { cookie: new session.Cookie(), passport: { user } };
      await promisify(store.set.bind(store))(id, data);
      return user;
    }

    const keysLike = async (start: string) =>
      (await engine.keys.names()).filter((name) => name.startsWith(start));
    const ttl = async (name = '') => engine.keys.client.pTTL(engine.keys.prefix + name);

    it('have every token revoked when a renewal that was cut short is done again', async () => {
      const first = await kept('id');
      await engine.fail('revoking an entry');
      await failureOf(store.renewStatus({ userId: 'ada' }, allocate));
      const second = await store.find('id');
      await sql`drop trigger refuse`.execute(engine.database.kysely);
      expect(second && (await isRevoked(second))).to.equal(false);
      expect(await isRevoked(first), 'which is why it has to be done again').to.equal(false);

      expect(await store.renewStatus({ userId: 'ada' }, allocate)).to.equal(1);
      const third = await store.find('id');
      expect(
        await Promise.all([first, second, third].map(async (one) => one && isRevoked(one))),
      ).to.deep.equal([true, true, false]);
    });

    it('that Redis has lost have their tokens revoked by a renewal', async () => {
      const user = await kept('id');
      for (const name of await engine.keys.names()) {
        await engine.keys.client.unlink(engine.keys.prefix + name);
      }
      expect(await store.renewStatus({ userId: 'ada' }, allocate)).to.equal(0);
      expect(await isRevoked(user)).to.equal(true);
    });

    it('leave no entry that can be revoked when they were ended in the middle of a renewal', async () => {
      const user = await kept('id');
      await store.renewStatus({ userId: 'ada' }, async (end, holder) => {
        await engine.otherProcess.revoke(user.publicId);
        return allocate(end, holder);
      });
      expect(await store.revokeByUser('ada')).to.equal(0);
    });

    it('are ended by the database, though they are left in Redis', async () => {
      const user = await kept('id');
      await engine.fail('removing a session');
      expect(await store.revoke(user.publicId)).to.equal(true);
      expect(await keysLike('session:')).to.have.length(1);
      expect(await store.find('id')).to.equal(undefined);
      expect(await engine.otherProcess.list()).to.deep.equal([]);
    });

    it('are none if the database has never heard of their entry', async () => {
      await kept('id');
      await engine.database.kysely.deleteFrom('status_entries').execute();
      expect(await store.find('id')).to.equal(undefined);
    });

    it('go by themselves soon after their end, and so does what leads to them', async () => {
      const spare = MINUTE;
      await kept('id');
      const [of = ''] = await keysLike('session:');
      const [to = ''] = await keysLike('user:');
      expect(await ttl(of)).to.be.within(DAY, DAY + spare);
      expect(await ttl(to)).to.be.within(6 * DAY, 7 * DAY + spare);
      await kept('short', HOUR);
      expect(await ttl(to), 'the longest of them').to.be.within(6 * DAY, 7 * DAY + spare);
      engine.clock.advance(DAY / 2);
      await store.markSeen('id', (await store.find('id')) ?? (await kept('none')));
      expect(await ttl(of)).to.be.within(DAY, DAY + spare);
    });

    it('are forgotten in the list of their user when they have come to their end', async () => {
      for (let hour = 0; hour < 5; hour += 1) {
        await kept(`id-${hour}`, HOUR);
        engine.clock.advance(HOUR);
      }
      const [list = ''] = await keysLike('user:');
      expect(await engine.keys.client.zCard(engine.keys.prefix + list)).to.equal(1);
    });

    it('are not touched under another prefix', async () => {
      await kept('id');
      const other = await redisSessions(LIFETIME);
      try {
        expect(await other.store.list()).to.deep.equal([]);
        expect(await other.store.find('id')).to.equal(undefined);
      } finally {
        await other[Symbol.asyncDispose]();
      }
      expect(await store.find('id')).to.be.an('object');
    });

    it('that somebody has damaged are an error, and no other is', async () => {
      await kept('id');
      const [name = ''] = await keysLike('session:');
      await engine.keys.client.hSet(engine.keys.prefix + name, 'sign_in', '{}');
      const failure = await failureOf(store.find('id'));
      expect(failure).to.be.instanceOf(StorageError);
      expect(failure.message).to.match(/damaged/);
    });
  });
});
