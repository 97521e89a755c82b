import type { Expired } from '../storage/retention.ts';

/**
 * Rows of the record that have been kept for long enough.
 * @param kept how long, in seconds; less than what the database itself insists on deletes nothing
 */
export function expiredEvents(kept: number): Expired {
  return {
    name: 'expired audit events',
    async deleteSome(db, before, limit) {
      const { numDeletedRows } = await db
        .deleteFrom('audit_events')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('audit_events')
            .select('id')
            .where('at', '<=', before - kept * 1000)
            .orderBy('at')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
