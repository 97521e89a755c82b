import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Insertable } from 'kysely';
import pg from 'pg';
import { pino } from 'pino';
import { RedisSessions } from '../sessions/redis-sessions.ts';
import type { SignIn } from '../sessions/session-store.ts';
import { openDatabase } from '../storage/database.ts';
import { redisAddress } from '../storage/redis-address.ts';
import { RedisConnection } from '../storage/redis-connection.ts';
import type { SessionsTable } from '../storage/schema.ts';
import { temporaryDirectory } from '../test/support/directory.ts';
import { redisKeys } from '../test/support/redis.ts';
import { startRedis } from '../test/support/redis-server.ts';
import type { Surroundings } from './benchmark.ts';
import { type BulkWriter, postgresWriter, sqliteWriter } from './bulk.ts';
import type { Population, StoredSession } from './population.ts';

/** Where sessions are stored; gone when it is disposed of. */
export interface Store extends AsyncDisposable {
  /** What a service has to be told to use it. */
  readonly settings: Readonly<Record<string, string>>;
  /** Stores them. @returns the bytes that everything takes in the place where the sessions are */
  write(population: Population, surroundings: Surroundings): Promise<number>;
}

export type OpenStore = () => Promise<Store>;

/** Where a database can be made. */
const POSTGRES = 'postgres://postgres@127.0.0.1:5432';

/** Where keys of our own can be kept, if no server of our own can be started. */
const SHARED_REDIS = 'redis://127.0.0.1:6379';

const BATCH = 5000;

/** Of each engine, by the name that the command line knows it by. */
export const engines: Readonly<Record<string, OpenStore>> = {
  sqlite: openSqliteStore,
  postgres: openPostgresStore,
  redis: openRedisStore,
};

export async function openSqliteStore(): Promise<Store> {
  const directory = temporaryDirectory();
  const file = path.join(directory.path, 'bench.db');
  const url = `sqlite:${file}`;
  return {
    settings: { DATABASE_URL: url },
    async write(population, surroundings) {
      await makeTables(url);
      await using writer = sqliteWriter(file);
      await writeRows(writer, population, surroundings);
      return await writer.finish();
    },
    async [Symbol.asyncDispose]() {
      directory[Symbol.dispose]();
    },
  };
}

async function openPostgresStore(): Promise<Store> {
  const name = `coatcheck_bench_${randomUUID().replaceAll('-', '')}`;
  await administer(`create database ${name} template template0 encoding 'UTF8'`);
  const url = `${POSTGRES}/${name}`;
  return {
    settings: { DATABASE_URL: url },
    async write(population, surroundings) {
      await makeTables(url);
      await using writer = await postgresWriter(url);
      await writeRows(writer, population, surroundings);
      return await writer.finish();
    },
    [Symbol.asyncDispose]: () => administer(`drop database if exists ${name} with (force)`),
  };
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${POSTGRES}/postgres` });
  client.on('error', () => undefined); // whoever asks is told
  try {
    await client.connect();
    await client.query(statement);
  } catch (cause) {
    throw new Error(`PostgreSQL at ${POSTGRES}: ${String(cause)}`, { cause });
  } finally {
    await client.end();
  }
}

/** Sessions in Redis, all else in SQLite. */
async function openRedisStore(): Promise<Store> {
  await using opened = new AsyncDisposableStack();
  const url = await startRedis().then(
    (server) => opened.use(server).url,
    () => SHARED_REDIS,
  );
  const keys = opened.use(await redisKeys(url));
  const sql = opened.use(await openSqliteStore());
  const all = opened.move();
  return {
    settings: { ...sql.settings, SESSION_STORE_URL: keys.url },
    async write(population, surroundings) {
      const file = (sql.settings['DATABASE_URL'] ?? '').slice('sqlite:'.length);
      await makeTables(`sqlite:${file}`);
      const before = await memoryOf(keys.client);
      await using redis = redisWriter(keys.url);
      await using writer = sqliteWriter(file);
      await writeRows(writer, population, surroundings, redis);
      await writer.finish();
      return (await memoryOf(keys.client)) - before;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function memoryOf(client: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
}

/** As the service makes them. */
async function makeTables(url: string): Promise<void> {
  await (await openDatabase(url)).close();
}

/** Where the rows of sessions go, if not into the table. */
interface SessionWriter {
  write(rows: readonly Insertable<SessionsTable>[]): Promise<void>;
}

async function writeRows(
  writer: BulkWriter,
  population: Population,
  { signal, progress }: Surroundings,
  elsewhere?: SessionWriter,
): Promise<void> {
  for (const users of batches(population.users())) await writer.insert('users', users);
  await writer.insert('status_lists', [...population.lists()]);
  let done = 0;
  for (const batch of batches(population.sessions())) {
    await setImmediate(); // Ctrl-C gets its turn
    signal.throwIfAborted();
    const sessions = batch.map(({ session }) => session);
    await writer.insert('status_entries', batch.map(entryOf));
    await (elsewhere ? elsewhere.write(sessions) : writer.insert('sessions', sessions));
    done += batch.length;
    if (done % 100_000 === 0) progress(`  ${done} of ${population.count} sessions are stored`);
  }
}

const entryOf = ({ entry }: StoredSession) => entry;

function* batches<T>(rows: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Writes as the service does, one script a session, a batch of them at once. */
function redisWriter(url: string): SessionWriter & AsyncDisposable {
  const address = redisAddress(url);
  if (typeof address === 'string') throw new Error(address);
  const connection = new RedisConnection(address, pino({ enabled: false }), 60_000);
  const sessions = new RedisSessions(connection);
  return {
    async write(rows) {
      await Promise.all(rows.map((row) => insert(sessions, row)));
    },
    async [Symbol.asyncDispose]() {
      connection.close();
    },
  };
}

async function insert(sessions: RedisSessions, row: Insertable<SessionsTable>): Promise<void> {
  const signIn: SignIn = {
    publicId: row.public_id,
    userId: row.user_id,
    amr: 'pwd',
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    address: row.address ?? null,
    userAgent: row.user_agent ?? null,
    status: { list: row.status_list, index: row.status_index },
  };
  const seen = { lastSeenAt: row.last_seen_at, idleExpiresAt: row.idle_expires_at };
  await sessions.insert(row.id_hash, signIn, row.data, { seen, now: Date.now(), replaced: '' });
}
