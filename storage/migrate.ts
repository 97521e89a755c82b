import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { SettingsError, StorageError } from '../core/errors.ts';
import { migrations } from './migrations/index.ts';
import type { Schema } from './schema.ts';

/** Whether there is nothing to migrate: most starts need no lock to find that out. */
export async function isUpToDate(db: Kysely<Schema>): Promise<boolean> {
  return (await namesIn(db)).join() === Object.keys(migrations).toSorted().join();
}

/**
 * Brings the tables up to date.
 *
 * @returns the migrations that it has run
 * @throws {SettingsError} when a newer version of Coatcheck has migrated them further: no start of this one helps
 */
export async function migrate(db: Kysely<Schema>): Promise<string[]> {
  const provider = { getMigrations: () => Promise.resolve(migrations) };
  const outcome = await new Migrator({ db, provider }).migrateToLatest();
  if ('error' in outcome) {
    await refuseAnother(db, outcome.error);
    throw outcome.error;
  }
  return (outcome.results ?? []).map(({ migrationName }) => migrationName);
}

/**
 * The migrations that the next start will run, in order: all of them where there are no tables yet.
 * @throws {SettingsError} as `migrate`
 */
export async function migrationsLeft(db: Kysely<Schema>): Promise<string[]> {
  const done = await namesIn(db);
  refuseUnknown(done);
  return Object.keys(migrations)
    .filter((name) => !done.includes(name))
    .toSorted();
}

async function refuseAnother(db: Kysely<Schema>, cause: unknown): Promise<void> {
  if (!(cause instanceof Error && cause.message.startsWith('corrupted migrations'))) return;
  refuseUnknown(await namesIn(db), cause);
}

/** @throws {SettingsError} where there are migrations that this version does not know */
function refuseUnknown(names: readonly string[], cause?: unknown): void {
  const theirs = names.findLast((name) => !(name in migrations));
  if (theirs === undefined) return;
  const ours = Object.keys(migrations).toSorted().at(-1) ?? 'none';
  throw new SettingsError(
    [
      `DATABASE_URL names a database that a newer version of Coatcheck has migrated: it has the migration ${theirs}, and the last one that this version knows is ${ours}. Run that version, or one that is newer still`,
    ],
    { cause },
  );
}

/** The migrations that the tables have been through, in order. */
async function namesIn(db: Kysely<Schema>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    return rows.map(({ name }) => name).toSorted();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    return []; // there is no such table yet
  }
}
