import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type SqliteDatabase,
} from 'kysely';
import { ExchangeConnection } from './exchange-connection.ts';
import { explained } from './sqlite-errors.ts';

/**
 * `node:sqlite` for Kysely, each statement prepared once. Kysely compiles the same query to the same text,
 * so the cache stays as small as the number of queries in the code.
 */
export class SqliteConnection implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #file: string | URL;
  readonly #busyTimeout: number;
  #exchanges: ExchangeConnection | undefined;

  /** @throws {StorageError} when the file cannot be opened as a database. */
  constructor(file: string | URL, busyTimeout: number, exchangeBusyTimeout: number) {
    this.#file = file;
    this.#busyTimeout = exchangeBusyTimeout;
    this.#database = explained(() => new DatabaseSync(file, { timeout: busyTimeout }));
  }

  /** For pragmas at start. */
  exec(sql: string): void {
    explained(() => this.#database.exec(sql));
  }

  /** Kysely calls this each time, right before it runs the statement. */
  prepare(sql: string) {
    this.#exchanges?.refresh();
    const statement = this.statement(sql);
    return {
      reader: statement.columns().length > 0,
      all: (parameters: readonly unknown[]) =>
        explained(() => statement.all(...parameters.map(sqlValue))),
      run: (parameters: readonly unknown[]) =>
        explained(() => statement.run(...parameters.map(sqlValue))),
      iterate: (parameters: readonly unknown[]) =>
        explained(() => statement.iterate(...parameters.map(sqlValue))),
    };
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = explained(() => this.#database.prepare(sql));
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** See `Database.prepareFirst`. */
  prepareFirst<Row>(sql: string): (parameters: readonly string[]) => Promise<Row | undefined> {
    return this.#forExchanges().prepareFirst<Row>(sql);
  }

  /**
   * See `Database.prepareRelaxed`. While a transaction of this process is between two of its statements, a write on the
   * other connection would stop the only thread that could end it.
   */
  prepareRelaxed<Row>(
    sql: string,
  ): (parameters: readonly SQLInputValue[]) => Promise<Row | undefined> {
    const write = this.#forExchanges().prepareRelaxed<Row>(sql);
    return async (parameters) => {
      while (this.#database.isOpen && this.#database.isTransaction) await setImmediate();
      return write(parameters);
    };
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Opened once the tables are there. */
  #forExchanges(): ExchangeConnection {
    this.#exchanges ??= new ExchangeConnection(this.#file, this.#busyTimeout);
    return this.#exchanges;
  }

  close(): void {
    this.#statements.clear();
    this.#exchanges?.close();
    if (this.#database.isOpen) this.#database.close();
  }
}

function sqlValue(value: unknown): SQLInputValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
      return value;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      throw new TypeError(`SQLite cannot store a value of type ${typeof value}`);
  }
}

/** Takes the write lock when a transaction begins, so that two processes queue up instead of failing half way. */
class ImmediateDriver extends SqliteDriver {
  readonly #sqlite: SqliteConnection;

  constructor(connection: SqliteConnection) {
    super({ database: connection });
    this.#sqlite = connection;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  /** Where the disk is full SQLite has rolled back by itself: to ask for it again would fail, and hide why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#sqlite.isTransaction) await super.rollbackTransaction(connection);
  }
}

class TransactionalAdapter extends SqliteAdapter {
  /** SQLite rolls back `CREATE TABLE` like everything else: a migration is done whole or not at all. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export class NodeSqliteDialect extends SqliteDialect {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    super({ database: connection });
    this.#connection = connection;
  }

  override createDriver() {
    return new ImmediateDriver(this.#connection);
  }

  override createAdapter() {
    return new TransactionalAdapter();
  }
}
