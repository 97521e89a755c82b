import type { Transaction } from 'kysely';
import type { Expired } from '../storage/retention.ts';
import type { Schema } from '../storage/schema.ts';
import { noteChanges } from '../storage/status-entries.ts';

/** Entries that no token can carry any more, which may be given away again, and the lists that are left without any. */
export const expiredEntries: Expired = {
  name: 'expired status entries',
  turn: 'status lists',
  async deleteSome(db, before, limit) {
    const deleted = await db
      .deleteFrom('status_entries')
      .where((eb) =>
        eb(
          eb.refTuple('list_id', 'idx'),
          'in',
          eb
            .selectFrom('status_entries')
            .select(['list_id', 'idx'])
            .where('expires_at', '<=', before)
            .orderBy('expires_at')
            .limit(limit)
            .$asTuple('list_id', 'idx'),
        ),
      )
      .returning(['list_id', 'revoked_at'])
      .execute();
    const revoked = deleted.filter(({ revoked_at }) => revoked_at !== null);
    await noteChanges(db, new Set(revoked.map(({ list_id }) => list_id)));
    if (deleted.length > 0) await dropEmptyLists(db);
    return deleted.length;
  },
};

/** The newest list stays: entries are given away from it. */
async function dropEmptyLists(db: Transaction<Schema>): Promise<void> {
  await db
    .deleteFrom('status_lists')
    .where('created_at', '<', (eb) =>
      eb
        .selectFrom('status_lists as newest')
        .select((of) => of.fn.max('newest.created_at').as('latest')),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('status_entries')
            .select('idx')
            .whereRef('status_entries.list_id', '=', 'status_lists.id'),
        ),
      ),
    )
    .execute();
}
