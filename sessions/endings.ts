import type { Expression, ExpressionBuilder, Selectable, SqlBool, Transaction } from 'kysely';
import type { Schema, SessionsTable } from '../storage/schema.ts';
import { type EntryHolder, revokeEntries, type StatusEntry } from '../storage/status-entries.ts';

type Row = Selectable<SessionsTable>;
export type StatusRow = Pick<Row, 'status_list' | 'status_index'>;

/** A condition on sessions. */
export type Which = (builder: ExpressionBuilder<Schema, 'sessions'>) => Expression<SqlBool>;

export function entryOf({ status_list, status_index }: StatusRow): StatusEntry {
  return { list: status_list, index: status_index };
}

/** Removes sessions and revokes their tokens. @returns which */
export async function removeSessions(
  db: Transaction<Schema>,
  now: number,
  which: Which,
): Promise<EntryHolder[]> {
  const removed = await db
    .deleteFrom('sessions')
    .where(which)
    .returning(['status_list', 'status_index', 'public_id', 'user_id'])
    .execute();
  await revokeEntries(db, removed.map(entryOf), now);
  return removed.map(({ public_id, user_id }) => ({ sessionId: public_id, userId: user_id }));
}
