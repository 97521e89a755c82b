import { sql } from 'kysely';
import type { Expired } from './retention.ts';
import type { Schema } from './schema.ts';

/** A table whose rows come to an end: what names one, and when its end is, in milliseconds since 1970. */
type Rows = {
  [Table in keyof Schema]: {
    readonly table: Table;
    readonly key: keyof Schema[Table] & string;
    readonly end: keyof Schema[Table] & string;
  };
}[keyof Schema];

/** Rows that can go by themselves when they have come to their end: nothing else says the same. */
export function expiredRows(name: string, rows: Rows): Expired {
  const [table, key, end] = [sql.table(rows.table), sql.ref(rows.key), sql.ref(rows.end)];
  return {
    name,
    async deleteSome(db, before, limit) {
      const oldest = sql`select ${key} from ${table} where ${end} <= ${before} order by ${end} limit ${limit}`;
      const deleting = sql`delete from ${table} where ${key} in (${oldest})`;
      const { numAffectedRows = 0n } = await deleting.execute(db);
      return Number(numAffectedRows);
    },
  };
}
