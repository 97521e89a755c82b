import { sql } from 'kysely';
import type { Database } from '../../storage/database.ts';
import type { Engine } from './database.ts';

/** Makes every such statement fail. */
export async function refuse(
  { kysely }: Database,
  engine: Engine,
  event: 'delete' | 'insert' | 'update',
  table: string,
): Promise<void> {
  const trigger = `create trigger refuse before ${event} on ${table}`;
  const statements =
    engine === 'SQLite'
      ? [`${trigger} begin select raise(abort, 'this fails'); end`]
      : [
          `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'this fails'; end $$`,
          `${trigger} for each row execute function refuse()`,
        ];
  for (const statement of statements) await sql.raw(statement).execute(kysely);
}
