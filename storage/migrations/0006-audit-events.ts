import { type Kysely, sql, SqliteAdapter } from 'kysely';

/** No row is deleted before it is 30 days old by the database's own clock, whatever asks for it. In milliseconds. */
const KEPT = sql.lit(30 * 86_400_000);

export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  await db.schema
    .createTable('audit_events')
    // grows with every row and is never used again, also after a deletion
    .addColumn('id', sqlite ? 'integer' : 'bigint', (column) =>
      sqlite
        ? column.primaryKey().autoIncrement()
        : column.primaryKey().generatedAlwaysAsIdentity(),
    )
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('actor_kind', 'text', (column) => column.notNull())
    .addColumn('actor_id', 'text')
    .addColumn('subject_kind', 'text')
    .addColumn('subject_id', 'text')
    .addColumn('subject_name', 'text')
    .addColumn('session_id', 'text')
    .addColumn('address', 'text')
    .addColumn('user_agent', 'text')
    .addColumn('request_id', 'text')
    .addColumn('details', 'text')
    .addColumn('once', 'text', (column) => column.unique())
    .execute();
  await db.schema.createIndex('audit_events_at').on('audit_events').column('at').execute();
  await db.schema
    .createIndex('audit_events_subject')
    .on('audit_events')
    .columns(['subject_id', 'id'])
    .execute();
  await db.schema
    .createIndex('audit_events_name')
    .on('audit_events')
    .column('subject_name')
    .where(sql.ref('subject_name'), 'is not', null)
    .execute();
  await db.schema
    .createIndex('audit_events_named')
    .on('audit_events')
    .columns(['subject_id', 'id'])
    .where(sql.ref('subject_name'), 'is not', null)
    .execute();
  await db.schema
    .createIndex('audit_events_event')
    .on('audit_events')
    .columns(['event', 'id'])
    .execute();
  for (const statement of sqlite ? SQLITE : POSTGRES) await statement.execute(db);
}

const SQLITE = [
  sql`create trigger audit_events_update before update on audit_events
    begin select raise(abort, 'audit_events is append-only'); end`,
  sql`create trigger audit_events_delete before delete on audit_events
    when old.at > unixepoch() * 1000 - ${KEPT}
    begin select raise(abort, 'audit_events is append-only'); end`,
  // "insert or replace" deletes without asking the trigger above
  sql`create trigger audit_events_replace before insert on audit_events
    when exists (select 1 from audit_events where id = new.id or once = new.once)
    begin select raise(ignore); end`,
];

const POSTGRES = [
  sql`create function audit_events_refuse() returns trigger language plpgsql as $$
    begin raise exception 'audit_events is append-only'; end $$`,
  sql`create trigger audit_events_update before update or truncate on audit_events
    for each statement execute function audit_events_refuse()`,
  sql`create trigger audit_events_delete before delete on audit_events for each row
    when (old.at > extract(epoch from clock_timestamp()) * 1000 - ${KEPT})
    execute function audit_events_refuse()`,
];
