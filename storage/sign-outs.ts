import type { Change } from './database.ts';

/**
 * Notes that the sessions of a user are being ended: a sign-in that has shown its password before that, and has no session
 * yet, finds another number and is not kept. It comes before the reason: users are the first to be locked.
 *
 * @param because the change that is the reason for it
 */
export function withSignOut(userId: string, because?: Change): Change {
  return async (db) => {
    await db
      .updateTable('users')
      .set((eb) => ({ sign_outs: eb('sign_outs', '+', 1) }))
      .where('id', '=', userId)
      .execute();
    await because?.(db);
  };
}
