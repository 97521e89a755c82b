import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CompiledQuery, Kysely, sql } from 'kysely';
import { SettingsError, StorageError } from '../core/errors.ts';
import { thenActs } from './after-commit.ts';
import type { Database } from './database.ts';
import { isUpToDate, migrate } from './migrate.ts';
import type { Schema } from './schema.ts';
import { NodeSqliteDialect, SqliteConnection } from './sqlite-dialect.ts';

/** How long a statement waits for another process to release the file, in milliseconds: at start, and later. */
const BUSY_TIMEOUT = 2000;
const BUSY_TIMEOUT_LATER = 500; // nothing else is answered meanwhile

/** See `openDatabase`, and `openAsItIs` for `asItIs`. */
export async function openSqlite(path: string, asItIs = false): Promise<Database> {
  const file = resolve(path);
  const connection = asItIs ? connectAsItIs(file) : connect(file);
  const kysely = new Kysely<Schema>({ dialect: new NodeSqliteDialect(connection) });
  async function close(): Promise<void> {
    await kysely.destroy();
    connection.close(); // Kysely leaves a connection open that it has not used yet
  }
  try {
    const upToDate = await isUpToDate(kysely);
    const migrated = upToDate || asItIs ? [] : await kysely.transaction().execute(migrate);
    await sql`pragma busy_timeout = ${sql.lit(BUSY_TIMEOUT_LATER)}`.execute(kysely);
    return {
      kysely,
      migrated,
      transaction: (work) => thenActs(work, (inside) => kysely.transaction().execute(inside)),
      prepareRelaxed: <Row>(query: CompiledQuery<Row>) => connection.prepareRelaxed<Row>(query.sql),
      prepareFirst: <Row>(query: CompiledQuery<Row>) => connection.prepareFirst<Row>(query.sql),
      async ping() {
        await sql`select 1`.execute(kysely);
      },
      close,
    };
  } catch (error) {
    await close();
    throw named(error, file);
  }
}

function connect(file: string): SqliteConnection {
  let connection: SqliteConnection | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600)); // the file holds password hashes: for this user alone
    connection = new SqliteConnection(file, BUSY_TIMEOUT, BUSY_TIMEOUT_LATER);
    // FULL: what was answered as done is on the disk, also after a power cut.
    connection.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;',
    );
    return connection;
  } catch (error) {
    connection?.close();
    throw named(error, file);
  }
}

/** Not opened as read-only: whoever closes it last would leave the files beside it that it has made. */
function connectAsItIs(file: string): SqliteConnection {
  const existing = pathToFileURL(file);
  existing.search = '?mode=rw'; // https://www.sqlite.org/uri.html: a file that is missing is not made
  let connection: SqliteConnection | undefined;
  try {
    connection = new SqliteConnection(existing, BUSY_TIMEOUT, BUSY_TIMEOUT_LATER);
    connection.exec('PRAGMA query_only = ON');
    return connection;
  } catch (error) {
    connection?.close();
    throw named(error, file);
  }
}

function named(error: unknown, file: string): unknown {
  if (error instanceof StorageError) {
    const { message, cause, passes } = error;
    return new StorageError(`${message} (${file})`, { cause, passes });
  }
  if (error instanceof SettingsError) {
    return new SettingsError(
      error.problems.map((problem) => `${problem} (${file})`),
      error,
    );
  }
  if (error instanceof Error && 'code' in error && 'path' in error) {
    return new StorageError(`The database cannot be opened: ${error.message}`, { cause: error });
  }
  return error;
}
