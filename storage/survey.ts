import { type RawBuilder, sql } from 'kysely';
import { type Clock, monotonic } from '../core/clock.ts';
import type { Database } from './database.ts';
import { migrationsLeft } from './migrate.ts';

/** What a database, or a store, says of itself. */
export interface Answers {
  /** How long it took to answer, several times, in milliseconds. */
  readonly pings: readonly number[];
  /** By how much its clock is ahead of ours, in milliseconds; nothing where it has none of its own. */
  readonly ahead: number | undefined;
}

export interface DatabaseSurvey extends Answers {
  readonly engine: 'SQLite' | 'PostgreSQL';
  /** Such as `15.6` or `3.50.4`. */
  readonly version: string;
  /** What the next start has to do. */
  readonly migrationsLeft: readonly string[];
  /** Of PostgreSQL: the settings of the server that a power cut depends on. */
  readonly durability: Readonly<Record<string, string>>;
  /** Whether the user may do anything on the server. */
  readonly superuser: boolean;
}

const PINGS = 7;

/** Asks a database what it is. Writes nothing. @throws {StorageError} when it does not answer */
export async function surveyDatabase(
  database: Database,
  engine: DatabaseSurvey['engine'],
  clock: Clock,
): Promise<DatabaseSurvey> {
  const { kysely } = database;
  const common = {
    engine,
    migrationsLeft: await migrationsLeft(kysely),
    pings: await timed(() => database.ping()),
  };
  const first = async <Row>(query: RawBuilder<Row>) => (await query.execute(kysely)).rows[0];
  if (engine === 'SQLite') {
    const row = await first(sql<{ version: string }>`select sqlite_version() as version`);
    const own = { ahead: undefined, durability: {}, superuser: false };
    return { ...common, ...own, version: row?.version ?? '' };
  }
  const ahead = await aheadOf(clock, async () => {
    const row = await first(
      sql<{ now: string }>`select extract(epoch from clock_timestamp()) * 1000 as now`,
    );
    return Number(row?.now);
  });
  const row = await first(sql<Record<string, string>>`
    select current_setting('server_version') as version,
      current_setting('is_superuser') as superuser,
      current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit`);
  const { version = '', superuser = '', ...durability } = row ?? {};
  return { ...common, ahead, version, superuser: superuser === 'on', durability };
}

/** How long it takes, several times, one after the other, in milliseconds. */
export async function timed(ping: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const began = monotonic();
    await ping();
    times.push(monotonic() - began);
  }
  return times;
}

/** The middle one of several times. */
export function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

/** By how much another clock is ahead of ours in milliseconds, as if it had been read half way through the question. */
export async function aheadOf(clock: Clock, read: () => Promise<number>): Promise<number> {
  const before = clock.now();
  const theirs = await read();
  return theirs - (before + clock.now()) / 2;
}
