import type { CompiledQuery, Kysely, Transaction } from 'kysely';
import { shownPostgresUrl } from './postgres-url.ts';
import type { Schema } from './schema.ts';
import { openSqlite } from './sqlite.ts';

/**
 * What a transaction may have to itself among all processes: the newest signing key, or which status lists there are.
 * Those that only give away entries of a list run side by side, but not beside one that opens or drops lists.
 */
export type Turn = 'signing keys' | 'status lists' | 'status entries';

/** What is written in the transaction of something else: both are done, or neither. It may run more than once. */
export type Change = (db: Transaction<Schema>) => Promise<unknown>;

/** The SQL database behind the stores: a file of SQLite, or a server of PostgreSQL. */
export interface Database {
  readonly kysely: Kysely<Schema>;
  /** The migrations that were run when it was opened: none if the tables were up to date. */
  readonly migrated: readonly string[];
  /**
   * Runs a transaction that writes: all of it or nothing. SQLite runs one at a time. PostgreSQL runs them side by side,
   * each statement on what has been committed by then, and `work` again from the start when it got in the way of another:
   * see docs/decisions/0007-transactions-side-by-side.md for what that asks of it.
   */
  transaction<T>(work: (db: Transaction<Schema>) => Promise<T>, turn?: Turn): Promise<T>;
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
   * for the disk. On PostgreSQL it may also be lost when the server dies. Answers the first row that it returns.
   */
  prepareRelaxed<Row>(
    query: CompiledQuery<Row>,
  ): (parameters: readonly (string | number | null)[]) => Promise<Row | undefined>;
  /** @throws {StorageError} when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `sqlite:<path>` (made if missing, its directory too) or `postgres://…`, and brings the tables up to date.
 *
 * @throws {StorageError} with a sentence for the operator when it cannot be used, such as a file that is locked or a
 *   server that is away. Nothing is left half-written: the tables are made in one transaction.
 * @throws {SettingsError} when a newer version has migrated the database further, or when a server answers and the URL is
 *   wrong: its password, its database, its TLS
 */
export function openDatabase(url: string): Promise<Database> {
  return open(url, false);
}

/**
 * Opens a database to look at it: no file is made, no table is made or changed, and SQLite refuses whatever writes.
 * @throws as `openDatabase` does, and where SQLite's file is missing
 */
export function openAsItIs(url: string): Promise<Database> {
  return open(url, true);
}

/** What talks to PostgreSQL is loaded only where it is wanted. */
async function open(url: string, asItIs: boolean): Promise<Database> {
  if (url.startsWith('sqlite:')) return openSqlite(url.slice('sqlite:'.length), asItIs);
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres(url, asItIs);
}

/** The URL as it may be shown: a password may be in it. */
export function shownDatabaseUrl(url: string): string {
  return url.startsWith('sqlite:') ? url : shownPostgresUrl(url);
}
