import type { Transaction } from 'kysely';
import type { Database } from './database.ts';
import type { Schema } from './schema.ts';

/** An index of a status list, given to a session. */
export interface StatusEntry {
  readonly list: string;
  readonly index: number;
}

/** The session that an entry is given to, by its public id, and whose session that is. */
export interface EntryHolder {
  readonly sessionId: string;
  readonly userId: string;
}

/**
 * Marks entries as revoked, in the transaction that ends what carries them: there is no moment at which a session
 * is gone and its tokens are not. What was revoked before, or has been given back, stays as it is.
 */
export async function revokeEntries(
  db: Transaction<Schema>,
  entries: readonly StatusEntry[],
  now: number,
): Promise<void> {
  const changed = new Set<string>();
  for (const [list, inList] of Map.groupBy(entries.toSorted(byPlace), (entry) => entry.list)) {
    for (const indices of pages(inList.map(({ index }) => index))) {
      const { numUpdatedRows } = await db
        .updateTable('status_entries')
        .set({ revoked_at: now })
        .where('list_id', '=', list)
        .where('idx', 'in', indices)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) changed.add(list);
    }
  }
  await noteChanges(db, changed);
}

/** How many indices one statement has. Of each length a statement is kept prepared, so there are few. */
const PAGES = [1, 10, 100] as const;

/** Fills up a page with an index that is on it already. */
function pages(indices: readonly number[]): number[][] {
  const all: number[][] = [];
  for (let start = 0; start < indices.length;) {
    const left = indices.slice(start);
    const length = PAGES.find((size) => size >= left.length) ?? 100;
    all.push(Array.from({ length }, (_, at) => left[Math.min(at, left.length - 1)] ?? 0));
    start += length;
  }
  return all;
}

/** How many indices are looked at in one step: a list has 2^17, and a statement may not take long. */
const STEP = 8192;

/**
 * Revokes everything that was given away: whoever has a session must sign in anew.
 * @returns how many entries there were
 */
export async function revokeEverything(database: Database, now: number): Promise<number> {
  const lists = await database.kysely
    .selectFrom('status_entries')
    .select(['list_id', (eb) => eb.fn.max('idx').as('last')])
    .groupBy('list_id')
    .execute();
  let revoked = 0;
  for (const { list_id, last } of lists) {
    for (let from = 0; from <= last; from += STEP) {
      revoked += await database.transaction(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable('status_entries')
          .set({ revoked_at: now })
          .where('list_id', '=', list_id)
          .where('idx', '>=', from)
          .where('idx', '<', from + STEP)
          .where('revoked_at', 'is', null)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) await noteChanges(db, new Set([list_id]));
        return Number(numUpdatedRows);
      });
    }
  }
  return revoked;
}

/** Gives lists whose entries have changed a new version, by which every process knows that its copy is old. */
export async function noteChanges(
  db: Transaction<Schema>,
  lists: ReadonlySet<string>,
): Promise<void> {
  for (const list of [...lists].toSorted()) {
    await db
      .updateTable('status_lists')
      .set((eb) => ({ version: eb('version', '+', 1) }))
      .where('id', '=', list)
      .execute();
  }
}

/** All who change several take them in this order, and so wait for each other instead of for ever. */
function byPlace(one: StatusEntry, other: StatusEntry): number {
  if (one.list !== other.list) return one.list < other.list ? -1 : 1;
  return one.index - other.index;
}
