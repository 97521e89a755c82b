import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { SqlSessionStore } from '../sessions/sql-store.ts';
import type { Database } from '../storage/database.ts';
import type { RedisConnection } from '../storage/redis-connection.ts';
import type { AttemptStore } from '../users/attempts.ts';
import { sqlAttempts } from '../users/sql-attempts.ts';
import type { Settings } from './settings.ts';

/** Where sessions are kept, and attempts are counted. */
export interface SessionEngine {
  readonly sessions: SessionStore;
  readonly attemptStore: AttemptStore;
  /** The connection to be closed, where they are in Redis. */
  readonly redis: RedisConnection | undefined;
}

/** Both in Redis where the settings name one, in the database otherwise. Does not wait for Redis. */
export async function openSessions(
  { session: lifetime, sessionStore: address }: Settings,
  parts: { database: Database; clock: Clock; log: Logger },
): Promise<SessionEngine> {
  const { database, clock, log } = parts;
  if (address === undefined) {
    return {
      sessions: new SqlSessionStore(database, clock, lifetime),
      attemptStore: sqlAttempts(database, clock),
      redis: undefined,
    };
  }
  // loaded only where it is wanted: a start without it is a tenth of a second sooner
  const [{ RedisConnection }, { RedisSessionStore }, { redisAttempts }] = await Promise.all([
    import('../storage/redis-connection.ts'),
    import('../sessions/redis-store.ts'),
    import('../users/redis-attempts.ts'),
  ]);
  const redis = new RedisConnection(address, log);
  return {
    sessions: new RedisSessionStore({ redis, lifetime, ...parts }),
    attemptStore: redisAttempts(redis, clock),
    redis,
  };
}
