import type { Expired } from '../storage/retention.ts';

/** Sessions past their end: `idle_expires_at` is never later than `expires_at`. Their tokens have expired with them. */
export const expiredSessions: Expired = {
  name: 'expired sessions',
  async deleteSome(db, before, limit) {
    const { numDeletedRows } = await db
      .deleteFrom('sessions')
      .where('id_hash', 'in', (eb) =>
        eb
          .selectFrom('sessions')
          .select('id_hash')
          .where('idle_expires_at', '<=', before)
          .orderBy('idle_expires_at')
          .limit(limit),
      )
      .executeTakeFirst();
    return Number(numDeletedRows);
  },
};
