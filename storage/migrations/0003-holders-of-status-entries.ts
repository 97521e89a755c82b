import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  // null in what was given away before: nobody is asked to sign in again for it
  await db.schema.alterTable('status_entries').addColumn('session_id', 'text').execute();
  await db.schema.alterTable('status_entries').addColumn('user_id', 'text').execute();
  // what is asked for is always an entry that can still be revoked
  for (const column of ['session_id', 'user_id']) {
    await db.schema
      .createIndex(`status_entries_${column}`)
      .on('status_entries')
      .column(column)
      .where(sql.ref('revoked_at'), 'is', null)
      .execute();
  }
}
