import type { Migration } from 'kysely/migration';
import * as usersAndSessions from './0001-users-and-sessions.ts';
import * as keysAndRevocation from './0002-keys-and-revocation.ts';
import * as holdersOfStatusEntries from './0003-holders-of-status-entries.ts';
import * as retention from './0004-retention.ts';
import * as attempts from './0005-attempts.ts';
import * as auditEvents from './0006-audit-events.ts';
import * as signOuts from './0007-sign-outs.ts';

/** In order, for ever: a migration that was released is never edited, only followed by another. */
export const migrations: Record<string, Migration> = {
  '0001-users-and-sessions': usersAndSessions,
  '0002-keys-and-revocation': keysAndRevocation,
  '0003-holders-of-status-entries': holdersOfStatusEntries,
  '0004-retention': retention,
  '0005-attempts': attempts,
  '0006-audit-events': auditEvents,
  '0007-sign-outs': signOuts,
};
