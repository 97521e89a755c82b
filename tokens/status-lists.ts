import { randomBytes, randomInt } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Schema, StatusEntriesTable } from '../storage/schema.ts';
import { type EntryHolder, revokeEntries, type StatusEntry } from '../storage/status-entries.ts';

export type { EntryHolder, StatusEntry } from '../storage/status-entries.ts';

/** The status lists of this service (draft-ietf-oauth-status-list-21): which sessions' tokens have been revoked. */
export interface StatusLists {
  /** How many entries each list has. */
  readonly size: number;
  /**
   * Gives away an index that is free, drawn at random: neighbours in a list say nothing about when their sessions began.
   * @param end when the last token that carries it will have expired, in milliseconds since 1970
   * @param holder the session whose tokens are going to carry it
   */
  allocate(end: number, holder: EntryHolder): Promise<StatusEntry>;
  /** Revokes the tokens that carry it, durably; visible in the list when this resolves. */
  revoke(entry: StatusEntry): Promise<void>;
  /** Whether it is revoked. One that is not given away at all counts as revoked: no token that is valid has it. */
  isRevoked(entry: StatusEntry): Promise<boolean>;
  /** The ids of all lists, newest first. */
  ids(): Promise<string[]>;
  /** Grows with every change of a list. @returns nothing where there is no such list */
  version(list: string): Promise<number | undefined>;
  /** The revoked indices of a list, as they are in the version that was asked for before, or in a later one. */
  revokedIndices(list: string): Promise<number[]>;
}

/** 16 KiB of bits before compression: a herd that a single user vanishes in (section 12.1 of the draft). */
const SIZE = 2 ** 17;

/** In a list that is nine tenths full, one of a thousand allocations opens the next one too early. */
const DRAWS = 64;

/** How far the clocks of those who check tokens may be behind, what they tolerate included, in milliseconds: 11 minutes. */
const CLOCK_SKEW = 660_000;

/** @param size how many entries a list has */
export function sqlStatusLists(database: Database, clock: Clock, size = SIZE): StatusLists {
  const { kysely } = database;
  const stateOf = database.prepareFirst(
    kysely
      .selectFrom('status_entries')
      .select('revoked_at')
      .where('list_id', '=', '')
      .where('idx', '=', 0)
      .compile(),
  );
  const versionOf = database.prepareFirst(
    kysely.selectFrom('status_lists').select('version').where('id', '=', '').compile(),
  );

  /** Another may have opened a list by now. */
  async function drawOrOpen(db: Transaction<Schema>, given: Given): Promise<StatusEntry> {
    const newest = await newestList(db);
    const entry = newest && (await draw(db, newest.id, size, given));
    const created_at = Math.max(clock.now(), (newest?.created_at ?? 0) + 1);
    return entry ?? takeFirst(db, size, given, created_at);
  }

  return {
    size,
    async allocate(end, { sessionId, userId }) {
      const given: Given = {
        expires_at: end + CLOCK_SKEW,
        revoked_at: null,
        session_id: sessionId,
        user_id: userId,
      };
      const entry = await database.transaction(async (db) => {
        const newest = await newestList(db);
        return newest && draw(db, newest.id, size, given);
      }, 'status entries');
      return entry ?? database.transaction((db) => drawOrOpen(db, given), 'status lists');
    },
    revoke: (entry) => database.transaction((db) => revokeEntries(db, [entry], clock.now())),
    async isRevoked({ list, index }) {
      const row = await stateOf([list, String(index)]);
      return row?.revoked_at !== null;
    },
    async ids() {
      const rows = await kysely
        .selectFrom('status_lists')
        .select('id')
        .orderBy('created_at', 'desc')
        .execute();
      return rows.map(({ id }) => id);
    },
    async version(list) {
      return (await versionOf([list]))?.version;
    },
    async revokedIndices(list) {
      const rows = await kysely
        .selectFrom('status_entries')
        .select('idx')
        .where('list_id', '=', list)
        .where('revoked_at', 'is not', null)
        .execute();
      return rows.map(({ idx }) => idx);
    },
  };
}

/** What an entry says besides where it is. */
type Given = Omit<StatusEntriesTable, 'list_id' | 'idx'>;

function newestList(db: Transaction<Schema>) {
  return db
    .selectFrom('status_lists')
    .select(['id', 'created_at'])
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** An entry of the list that was free, unless each of the draws hit one that is taken. */
async function draw(
  db: Transaction<Schema>,
  list_id: string,
  size: number,
  given: Given,
): Promise<StatusEntry | undefined> {
  for (let left = DRAWS; left > 0; left -= 1) {
    const idx = randomInt(size);
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('status_entries')
      .values({ list_id, idx, ...given })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 1n) return { list: list_id, index: idx };
  }
  return undefined;
}

/** Opens a list and gives away an entry of it. Its time is later than that of any other, whatever the clock says. */
async function takeFirst(
  db: Transaction<Schema>,
  size: number,
  given: Given,
  created_at: number,
): Promise<StatusEntry> {
  const list = { id: randomBytes(16).toString('base64url'), created_at, version: 1 };
  await db.insertInto('status_lists').values(list).execute();
  const entry = { list: list.id, index: randomInt(size) };
  await db
    .insertInto('status_entries')
    .values({ list_id: entry.list, idx: entry.index, ...given })
    .execute();
  return entry;
}
