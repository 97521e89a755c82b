import { ErrorReply } from '@redis/client';
import type { Clock } from '../core/clock.ts';
import { StorageError } from '../core/errors.ts';
import type { RedisConnection } from './redis-connection.ts';
import { aheadOf, type Answers, timed } from './survey.ts';

export interface RedisSurvey extends Answers {
  /** What INFO says, by name; nothing where the user may not ask. */
  readonly info: Readonly<Record<string, string>> | undefined;
}

/** Asks Redis what it is. Writes nothing. @throws {StorageError} when it does not answer */
export async function surveyRedis(redis: RedisConnection, clock: Clock): Promise<RedisSurvey> {
  const pings = await timed(() => redis.ping());
  const info = await ifAllowed(() => redis.run((client) => client.info()));
  const ahead = await ifAllowed(() =>
    aheadOf(clock, async () => {
      const [seconds, micros] = await redis.run((client) => client.time());
      return Number(seconds) * 1000 + Number(micros) / 1000;
    }),
  );
  return { pings, ahead, info: info === undefined ? undefined : fieldsOf(info) };
}

/** A user of Redis' access lists may be allowed what the service needs, and no more. */
async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const cause = error instanceof StorageError ? error.cause : undefined;
    if (cause instanceof ErrorReply && cause.message.startsWith('NOPERM')) return undefined;
    throw error;
  }
}

function fieldsOf(info: string): Record<string, string> {
  const lines = info.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
