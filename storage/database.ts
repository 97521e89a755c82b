import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type CompiledQuery, Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { StorageError } from '../core/errors.ts';
import { migrations } from './migrations/index.ts';
import type { Schema } from './schema.ts';
import { NodeSqliteDialect, SqliteConnection } from './sqlite-dialect.ts';

/** The SQL database behind the stores: SQLite today; another engine is one more `open…` function. */
export interface Database {
  readonly kysely: Kysely<Schema>;
  /**
   * A query that runs at every exchange: compiled and prepared once, run with new parameters in the
   * order of its placeholders. Answers the first row. Sees at once what this process has written, and what
   * another has committed a few milliseconds later at the latest.
   */
  prepareFirst<Row>(
    query: CompiledQuery<Row>,
  ): (parameters: readonly string[]) => Promise<Row | undefined>;
  /**
   * A write that comes often and may be lost in a power cut, though not when the process dies: it does not wait
   * for the disk.
   */
  prepareRelaxed(query: CompiledQuery): (parameters: readonly (string | number)[]) => Promise<void>;
  /** @throws {StorageError} when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** How long a statement waits for another process to release the file, in milliseconds: at start, and later. */
const BUSY_TIMEOUT = 2000;
const BUSY_TIMEOUT_LATER = 500; // nothing else is answered meanwhile

/**
 * Opens `sqlite:<path>` (made if missing, its directory too) and brings the tables up to date.
 *
 * @throws {StorageError} with a sentence for the operator when the file is locked, damaged, read-only or
 *   the disk is full. Nothing is left half-written: the tables are made in one transaction.
 */
export async function openDatabase(url: string): Promise<Database> {
  const file = resolve(url.slice('sqlite:'.length));
  const database = openSqlite(file);
  try {
    await migrate(database.kysely);
    await sql`pragma busy_timeout = ${sql.lit(BUSY_TIMEOUT_LATER)}`.execute(database.kysely);
  } catch (error) {
    await database.close();
    throw named(error, file);
  }
  return database;
}

function openSqlite(file: string): Database {
  let connection: SqliteConnection | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600)); // the file holds password hashes: for this user alone
    connection = new SqliteConnection(file, BUSY_TIMEOUT, BUSY_TIMEOUT_LATER);
    // FULL: what was answered as done is on the disk, also after a power cut.
    connection.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;',
    );
  } catch (error) {
    connection?.close();
    throw named(error, file);
  }
  return sqliteDatabase(connection);
}

function sqliteDatabase(connection: SqliteConnection): Database {
  const kysely = new Kysely<Schema>({ dialect: new NodeSqliteDialect(connection) });
  return {
    kysely,
    prepareRelaxed: (query) => connection.prepareRelaxed(query.sql),
    prepareFirst: <Row>(query: CompiledQuery<Row>) => connection.prepareFirst<Row>(query.sql),
    async ping() {
      await sql`select 1`.execute(kysely);
    },
    async close() {
      await kysely.destroy();
      connection.close(); // Kysely leaves a connection open that it has not used yet
    },
  };
}

async function migrate(kysely: Kysely<Schema>): Promise<void> {
  try {
    await kysely.transaction().execute(async (db) => {
      const provider = { getMigrations: () => Promise.resolve(migrations) };
      const outcome = await new Migrator({ db, provider }).migrateToLatest();
      if ('error' in outcome) throw outcome.error; // only thrown, it takes back what was done so far
    });
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
      throw new StorageError(
        'The database was made by another version of Coatcheck: run that one, or a newer one.',
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

function named(error: unknown, file: string): unknown {
  if (error instanceof StorageError) {
    return new StorageError(`${error.message} (${file})`, { cause: error.cause });
  }
  if (error instanceof Error && 'code' in error && 'path' in error) {
    return new StorageError(`The database cannot be opened: ${error.message}`, { cause: error });
  }
  return error;
}
