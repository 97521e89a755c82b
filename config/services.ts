import type { Logger } from 'pino';
import { createVerifier, type RevocationCheck, type Verifier } from '#verify';
import { type Audit, SqlAudit } from '../audit/audit.ts';
import type { Actor } from '../audit/events.ts';
import { expiredEvents } from '../audit/expired-events.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { expiredSessions } from '../sessions/expired-sessions.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import type { RedisConnection } from '../storage/redis-connection.ts';
import { Retention } from '../storage/retention.ts';
import { expiredEntries } from '../tokens/expired-entries.ts';
import { createIssuer, type Issuer } from '../tokens/issuer.ts';
import { type ApiClients, sqlApiClients } from '../tokens/api-clients.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import type { SigningKeys } from '../tokens/signing-keys.ts';
import { Attempts } from '../users/attempts.ts';
import { PasswordHasher } from '../users/password.ts';
import { expiredAttempts } from '../users/sql-attempts.ts';
import { sqlUserStore } from '../users/sql-user-store.ts';
import type { UserStore } from '../users/user-store.ts';
import { openKeys } from './keys.ts';
import { createLog } from './log.ts';
import { createRevocation, type Revocation, statusListAddresses } from './revocation.ts';
import { openSessions } from './session-engine.ts';
import type { Settings } from './settings.ts';

/** What commands need: the stores and the keys, without the web. */
export interface Services extends Revocation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly database: Database;
  readonly audit: Audit;
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly attempts: Attempts;
  readonly sessions: SessionStore;
  /** Where sessions and attempts are, unless they are in the database. */
  readonly redis: RedisConnection | undefined;
  readonly keys: SigningKeys;
  readonly keyRing: KeyRing;
  readonly issuer: Issuer;
  readonly verifier: Verifier;
  readonly apiClients: ApiClients;
  readonly retention: Retention;
  /** Closes the stores. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServiceOptions {
  clock?: Clock;
  /** Default: JSON lines on standard output at `LOG_LEVEL`. */
  log?: Logger;
  /** Who runs this process, for the record. Default: the service itself. */
  actor?: Actor;
}

/**
 * Opens everything that the settings speak of. The one place that knows which engine is behind which port.
 * @throws {StorageError} when the database cannot be used.
 */
export async function createServices(
  settings: Settings,
  {
    clock = systemClock,
    log = createLog(settings.logLevel, settings.workers > 1),
    actor = { kind: 'service' },
  }: ServiceOptions = {},
): Promise<Services> {
  const database = await openDatabase(settings.databaseUrl);
  const audit = new SqlAudit({ database, clock, log, actor });
  const parts = { database, clock, log, audit };
  const keys = await openKeys(settings, parts).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const users = sqlUserStore(database, clock);
  const { sessions, attemptStore, redis } = await openSessions(settings, { database, clock, log });
  const retention = new Retention({
    database,
    clock,
    log,
    expired: [
      expiredSessions,
      expiredEntries,
      expiredAttempts,
      expiredEvents(settings.auditRetention),
    ],
  });
  const revocation = createRevocation({ settings, clock, database, users, sessions });
  return {
    ...revocation,
    settings,
    ...parts,
    users,
    passwords: new PasswordHasher(settings.workers),
    attempts: new Attempts(attemptStore, settings.sessionSecrets[0] ?? ''),
    sessions,
    redis,
    apiClients: sqlApiClients(database, clock),
    retention,
    keys,
    ...createTokenServices(settings, clock, keys.ring, revocation.revocationCheck),
    async [Symbol.asyncDispose]() {
      await Promise.all([keys.stop(), retention.stop()]);
      redis?.close();
      await database.close();
    },
  };
}

/** What signs tokens and what checks them. */
function createTokenServices(
  { jwt, publicUrl, mode }: Settings,
  clock: Clock,
  keyRing: KeyRing,
  revocation: RevocationCheck,
) {
  const { issuer } = jwt;
  return {
    keyRing,
    issuer: createIssuer({
      ...jwt,
      keyRing,
      clock,
      statusListUri: statusListAddresses(publicUrl).uriOf,
    }),
    verifier: createVerifier({
      issuer,
      keys: keyRing,
      now: () => clock.now(),
      revocation,
      clockTolerance: 0, // the clock of who issued it
      production: mode === 'production',
    }),
  };
}
