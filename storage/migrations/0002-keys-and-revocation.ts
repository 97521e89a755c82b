import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('signing_keys')
    .addColumn('sequence', 'integer', (column) => column.primaryKey())
    // not unique: a shared secret that signs again has another row
    .addColumn('kid', 'text', (column) => column.notNull())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('public_jwk', 'text')
    .addColumn('private_key', 'text')
    .addColumn('published_at', 'bigint', (column) => column.notNull())
    .addColumn('signs_from', 'bigint', (column) => column.notNull())
    .addColumn('longest_token', 'bigint', (column) => column.notNull())
    .addColumn('gone_at', 'bigint')
    .execute();

  await db.schema
    .createTable('status_lists')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('status_entries')
    .addColumn('list_id', 'text', (column) => column.notNull())
    .addColumn('idx', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('revoked_at', 'bigint')
    .addPrimaryKeyConstraint('status_entries_pkey', ['list_id', 'idx'])
    .execute();
  await db.schema
    .createIndex('status_entries_end')
    .on('status_entries')
    .column('expires_at')
    .execute();
  // a list is made of its revoked entries alone, which are few
  await db.schema
    .createIndex('status_entries_revoked')
    .on('status_entries')
    .columns(['list_id', 'idx'])
    .where(sql.ref('revoked_at'), 'is not', null)
    .execute();

  await db.schema
    .createTable('api_clients')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('secret_hash', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();

  // whoever signed in before has tokens that no list could revoke: they sign in again
  await sql`delete from sessions`.execute(db);
  await db.schema.alterTable('sessions').addColumn('status_list', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('status_index', 'integer').execute();
}
