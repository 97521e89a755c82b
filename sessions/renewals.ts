import type { Kysely, Selectable, Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Change, Database } from '../storage/database.ts';
import type { Schema, SessionsTable } from '../storage/schema.ts';
import { revokeEntries, type StatusEntry } from '../storage/status-entries.ts';
import { entryOf, type StatusRow } from './endings.ts';
import type { AllocateEntry, SessionOwner } from './session-store.ts';

/** While entries were given away for the sessions of a user, there were more: for those there has to be one too. */
export class SessionsBegan extends Error {}

/** See `SessionStore.renewStatus`, for sessions in the database. */
export async function renewSessions(
  database: Database,
  clock: Clock,
  owner: SessionOwner,
  allocate: AllocateEntry,
  because?: Change,
): Promise<number> {
  const renewals = new Map<string, Renewal>();
  for (;;) {
    for (const row of await sessionsOf(database.kysely, owner, clock.now())) {
      const place = `${row.status_list} ${row.status_index}`;
      if (renewals.has(place)) continue;
      const holder = { sessionId: row.public_id, userId: row.user_id };
      renewals.set(place, { ...row, renewed: await allocate(row.expires_at, holder) });
    }
    try {
      return await database.transaction(async (db) => {
        await because?.(db);
        const now = clock.now();
        const renewed = await replaceEntries(db, now, [...renewals.values()]);
        // what began or was renewed meanwhile may be left alone, unless its tokens are of before the change
        if (because && renewed < (await sessionsOf(db, owner, now)).length)
          throw new SessionsBegan();
        return renewed;
      });
    } catch (error) {
      if (!(error instanceof SessionsBegan)) throw error;
    }
  }
}

function sessionsOf(db: Kysely<Schema>, owner: SessionOwner, now: number) {
  const [column, value] =
    'userId' in owner
      ? (['user_id', owner.userId] as const)
      : (['public_id', owner.publicId] as const);
  return db
    .selectFrom('sessions')
    .select(['id_hash', 'public_id', 'user_id', 'expires_at', 'status_list', 'status_index'])
    .where(column, '=', value)
    .where('expires_at', '>', now)
    .where('status_list', 'is not', null)
    .orderBy('id_hash') // in which they are changed, by all who do so
    .execute();
}

/** A session as it was read, and the entry that it is to get. */
type Renewal = StatusRow &
  Pick<Selectable<SessionsTable>, 'id_hash'> & { readonly renewed: StatusEntry };

/**
 * Gives the sessions their new entries and revokes the old ones. One that was ended, or renewed by somebody else, since
 * it was read is left alone. @returns how many were changed
 */
async function replaceEntries(
  db: Transaction<Schema>,
  now: number,
  renewals: readonly Renewal[],
): Promise<number> {
  const replaced: StatusEntry[] = [];
  for (const renewal of renewals) {
    const { numUpdatedRows } = await db
      .updateTable('sessions')
      .set({ status_list: renewal.renewed.list, status_index: renewal.renewed.index })
      .where('id_hash', '=', renewal.id_hash)
      .where('status_list', '=', renewal.status_list)
      .where('status_index', '=', renewal.status_index)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) replaced.push(entryOf(renewal));
  }
  await revokeEntries(db, replaced, now);
  return replaced.length;
}
