import type { Migration } from 'kysely/migration';
import * as usersAndSessions from './0001-users-and-sessions.ts';

/** In order, for ever: a migration that was released is never edited, only followed by another. */
export const migrations: Record<string, Migration> = {
  '0001-users-and-sessions': usersAndSessions,
};
