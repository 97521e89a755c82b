import type { PostgresCursor, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { SettingsError, StorageError } from '../core/errors.ts';
import { connectFault, queryFault } from './postgres-errors.ts';

/** The type of `bigint` columns (pg_type.dat): times in milliseconds, which fit into a number. */
const BIGINT = 20;

const types: pg.CustomTypesConfig = {
  getTypeParser(type: number, format?: 'text' | 'binary'): (text: string) => unknown {
    // oxlint-disable-next-line typescript/no-unsafe-return -- what a parser answers, only its type knows
    return type === BIGINT ? Number : pg.types.getTypeParser(type, format);
  },
};

/** Connections to PostgreSQL, each with deadlines. What has failed on the way is a `StorageError`. */
export class PostgresPool {
  readonly #pool: pg.Pool;
  #prepared = 0;

  constructor(config: pg.PoolConfig) {
    // the pool waits for what it answers, though its types do not say so
    const onConnect: (client: pg.ClientBase) => unknown = checkServer;
    this.#pool = new pg.Pool({ ...config, types, onConnect });
    // A connection that breaks while nobody uses it. Left to itself, the event would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** Kysely's, for connections of its own, which it makes only to cancel queries: nobody does here. */
  get options(): object {
    return {};
  }

  /** @throws {StorageError} when there is no connection to be had in time */
  async connect(): Promise<PostgresConnection> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw error instanceof SettingsError ? error : connectFault(error);
    });
    return new PostgresConnection(client);
  }

  /** A statement that is prepared once on each connection, by a name of its own. */
  prepare<Row>(text: string): (values: readonly unknown[]) => Promise<Row[]> {
    this.#prepared += 1;
    const name = `coatcheck-${this.#prepared}`;
    return async (values) => {
      const connection = await this.connect();
      try {
        return (await connection.run<Row>({ name, text, values: values.map(storable) })).rows;
      } finally {
        connection.release();
      }
    };
  }

  async end(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

/** A connection that somebody uses. After a failure in which an answer may be still to come it is not used again. */
class PostgresConnection implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  #broken: Error | undefined;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  query<Row>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<Row>>;
  query<Row>(cursor: PostgresCursor<Row>): PostgresCursor<Row>;
  query<Row>(
    text: string | PostgresCursor<Row>,
    values: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<Row>> | PostgresCursor<Row> {
    if (typeof text !== 'string') throw new TypeError('nothing is read through a cursor here');
    return this.run<Row>({ text, values: values.map(storable) });
  }

  async run<Row>(query: pg.QueryConfig): Promise<PostgresQueryResult<Row>> {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a query answers, only its text knows
      return (await this.#client.query(query)) as unknown as PostgresQueryResult<Row>;
    } catch (error) {
      const fault = queryFault(error);
      if (fault.breaks) this.#broken = fault.error;
      throw fault.error;
    }
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#broken !== undefined);
  }
}

/** A standby answers what the primary knew a while ago, and another encoding cannot hold everybody's name. */
async function checkServer(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean; encoding: string }>(
    "select pg_is_in_recovery() as standby, current_setting('server_encoding') as encoding",
  );
  if (rows[0]?.standby === true) {
    throw new StorageError(
      'The database is read-only: it is a standby. Let DATABASE_URL lead to the primary.',
      { passes: true },
    );
  }
  if (rows[0]?.encoding !== 'UTF8') {
    throw new SettingsError([
      'DATABASE_URL names a database that cannot hold every name: make one with ENCODING UTF8',
    ]);
  }
}

/** U+0000 is in no text that is stored, and the server refuses it: asked for as any other character that is none. */
function storable(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\u0000', '\uFFFD') : value;
}
