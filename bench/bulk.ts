import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { Schema } from '../storage/schema.ts';

type Row = Readonly<Record<string, string | number | null>>;

/** Writes rows by the thousand into tables that are there, and does nothing for durability: it is lost or it is there. */
export interface BulkWriter extends AsyncDisposable {
  /** @param rows with the same columns in each */
  insert(table: keyof Schema, rows: readonly Row[]): Promise<void>;
  /** What a database in use would have done by itself by now; then the bytes that it takes. */
  finish(): Promise<number>;
}

export function sqliteWriter(file: string): BulkWriter {
  const database = new DatabaseSync(file);
  database.exec(
    'pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -400000; begin',
  );
  return {
    async insert(table, rows) {
      const columns = Object.keys(rows[0] ?? {});
      const statement = database.prepare(
        `insert into ${table} (${columns.join()}) values (${columns.map(() => '?').join()})`,
      );
      for (const row of rows) statement.run(...Object.values(row));
    },
    async finish() {
      database.exec('commit; pragma synchronous = normal; pragma journal_mode = wal');
      const sql = 'select page_count * page_size as bytes from pragma_page_count, pragma_page_size';
      return Number(database.prepare(sql).get()?.['bytes']);
    },
    async [Symbol.asyncDispose]() {
      database.close();
    },
  };
}

export async function postgresWriter(url: string): Promise<BulkWriter> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // whoever asks is told
  await client.connect();
  await client.query('set synchronous_commit = off');
  return {
    async insert(table, rows) {
      const columns = Object.entries(rows[0] ?? {});
      const types = columns.map(
        ([, value], place) => `$${place + 1}::${typeof value === 'number' ? 'bigint' : 'text'}[]`,
      );
      await client.query({
        name: table,
        text: `insert into ${table} (${columns.map(([name]) => name).join()}) select * from unnest(${types.join()})`,
        values: columns.map(([name]) => rows.map((row) => row[name])),
      });
    },
    async finish() {
      await client.query('vacuum analyze');
      await client.query('checkpoint');
      const { rows } = await client.query<{ bytes: string }>(
        'select pg_database_size(current_database()) as bytes',
      );
      return Number(rows[0]?.bytes);
    },
    async [Symbol.asyncDispose]() {
      await client.end();
    },
  };
}
