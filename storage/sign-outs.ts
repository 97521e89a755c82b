import type { Transaction } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * Notes that the sessions of a user are being ended: a sign-in that has shown its password before that, and has no session
 * yet, finds another number and is not kept. Comes before all else in its transaction: users are the first to be locked.
 */
export async function noteSignOut(db: Transaction<Schema>, userId: string): Promise<void> {
  await db
    .updateTable('users')
    .set((eb) => ({ sign_outs: eb('sign_outs', '+', 1) }))
    .where('id', '=', userId)
    .execute();
}
