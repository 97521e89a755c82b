import {
  type CompiledQuery,
  Kysely,
  PostgresDialect,
  type RawBuilder,
  sql,
  type Transaction,
} from 'kysely';
import type { PoolConfig } from 'pg';
import { SettingsError } from '../core/errors.ts';
import { thenActs } from './after-commit.ts';
import type { Database, Turn } from './database.ts';
import { isUpToDate, migrate } from './migrate.ts';
import { atStart, isConflict } from './postgres-errors.ts';
import { PostgresPool } from './postgres-pool.ts';
import { parsePostgresUrl, tlsOptions } from './postgres-url.ts';
import type { Schema } from './schema.ts';

/** How much longer than the server's own deadline we wait for its answer, in milliseconds: it may have gone silent. */
const GRACE = 100;

/** A process that stops in the middle of a transaction must not lock others out for long, in milliseconds. */
const IDLE_IN_TRANSACTION = 5000;

/** How long a connection is kept that nobody uses, in milliseconds: a burst after a pause finds some open. */
const KEPT = 600_000;

/** How long a migration may take, or wait for the one of another process, in milliseconds. */
const MIGRATION = 600_000;

/** How many connections there are for writes that do not wait for the disk. */
const RELAXED = 2;

/** How often a transaction is tried that gets in the way of others. */
const TRIES = 5;

/** Advisory locks are numbers that all users of a database share: the first one is ours, the second says what for. */
const OURS = sql.lit(0x636f6174); // "coat"
const TURNS: Readonly<Record<Turn, RawBuilder<unknown>>> = {
  'signing keys': sql`pg_advisory_xact_lock(${OURS}, 1)`,
  'status lists': sql`pg_advisory_xact_lock(${OURS}, 2)`,
  'status entries': sql`pg_advisory_xact_lock_shared(${OURS}, 2)`,
};

/** See `openDatabase`, and `openAsItIs` for `asItIs`. */
export async function openPostgres(url: string, asItIs = false): Promise<Database> {
  const config = configOf(url);
  const pool = new PostgresPool(config);
  const relaxed = new PostgresPool({
    ...config,
    max: RELAXED,
    options: '-c synchronous_commit=off',
  });
  const kysely = kyselyOver(pool);
  async function close(): Promise<void> {
    await Promise.all([pool.end(), relaxed.end()]);
  }
  try {
    const upToDate = await isUpToDate(kysely); // a server that is away is found out with the short deadline
    return {
      kysely,
      migrated: upToDate || asItIs ? [] : await migrated(config),
      transaction: (work, turn) => transaction(kysely, work, turn),
      prepareFirst<Row>(query: CompiledQuery<Row>) {
        const read = pool.prepare<Row>(query.sql);
        return async (parameters: readonly string[]) => (await read(parameters))[0];
      },
      prepareRelaxed<Row>(query: CompiledQuery<Row>) {
        const write = relaxed.prepare<Row>(query.sql);
        return async (parameters: readonly (string | number | null)[]) =>
          (await write(parameters))[0];
      },
      async ping() {
        await sql`select 1`.execute(kysely);
      },
      close,
    };
  } catch (error) {
    await close();
    throw atStart(error);
  }
}

function configOf(url: string): PoolConfig {
  const parsed = parsePostgresUrl(url);
  if (typeof parsed === 'string') throw new SettingsError([`DATABASE_URL ${parsed}`]);
  const { host, port, user, password, database, parameters } = parsed;
  return {
    host,
    port,
    user,
    // A function, since pg looks into the environment where there is none. Nor does it close a connection for which a
    // password is asked and it has none: the server does, when one is wrong.
    password: () => password || 'none',
    database,
    ssl: tlsOf(parameters),
    max: parameters.pool_size,
    application_name: parameters.application_name,
    connectionTimeoutMillis: parameters.connect_timeout,
    idleTimeoutMillis: KEPT,
    statement_timeout: parameters.statement_timeout,
    query_timeout: parameters.statement_timeout + GRACE,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION,
    keepAlive: true,
  };
}

function tlsOf(parameters: Parameters<typeof tlsOptions>[0]): PoolConfig['ssl'] {
  try {
    return tlsOptions(parameters);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SettingsError([`DATABASE_URL names a certificate that cannot be read: ${reason}`]);
  }
}

function kyselyOver(pool: PostgresPool): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
}

/** Kysely's Migrator holds an advisory lock meanwhile: of processes that start at once, one migrates and the others wait. */
async function migrated(config: PoolConfig): Promise<string[]> {
  const pool = new PostgresPool({
    ...config,
    max: 1,
    statement_timeout: MIGRATION,
    query_timeout: MIGRATION,
    idle_in_transaction_session_timeout: 0,
  });
  try {
    return await migrate(kyselyOver(pool));
  } finally {
    await pool.end();
  }
}

async function transaction<T>(
  kysely: Kysely<Schema>,
  work: (db: Transaction<Schema>) => Promise<T>,
  turn: Turn | undefined,
): Promise<T> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await thenActs(work, (inside) =>
        kysely
          .transaction()
          .setIsolationLevel('read committed') // whatever the server has for a default
          .execute(async (db) => {
            if (turn !== undefined) await sql`select ${TURNS[turn]}`.execute(db);
            return inside(db);
          }),
      );
    } catch (error) {
      if (left === 1 || !isConflict(error)) throw error;
    }
  }
}
