import { expiredRows } from '../storage/expired-rows.ts';
import type { Expired } from '../storage/retention.ts';

const events = expiredRows('expired audit events', { table: 'audit_events', key: 'id', end: 'at' });

/**
 * Rows of the record that have been kept for long enough.
 * @param kept how long, in seconds; less than what the database itself insists on deletes nothing
 */
export function expiredEvents(kept: number): Expired {
  return {
    ...events,
    deleteSome: (db, before, limit) => events.deleteSome(db, before - kept * 1000, limit),
  };
}
