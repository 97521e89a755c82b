import { expiredRows } from '../storage/expired-rows.ts';

/** Sessions past their end: `idle_expires_at` is never later than `expires_at`. Their tokens have expired with them. */
export const expiredSessions = expiredRows('expired sessions', {
  table: 'sessions',
  key: 'id_hash',
  end: 'idle_expires_at',
});
