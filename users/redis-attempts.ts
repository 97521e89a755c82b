import type { Clock } from '../core/clock.ts';
import { type RedisConnection, redisScript } from '../storage/redis-connection.ts';
import type { AttemptStore } from './attempts.ts';

/**
 * KEYS: the attempts. ARGV: now, the share of the period that each attempt takes, the period. Answers 0, or how long there
 * is no room. What is further away than any process sets it comes from a clock that was wrong.
 */
const TAKE = redisScript(`#!lua
local now, share, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local there = tonumber(redis.call('HGET', KEYS[1], 'forgotten_at') or 0)
if there < now or there > now + 2 * period then there = now end
local wait = there + share - now - period
if wait > 0 then return wait end
redis.call('HSET', KEYS[1], 'forgotten_at', string.format('%.0f', there + share))
redis.call('PEXPIRE', KEYS[1], there + share - now)
return 0`);

/** KEYS: the attempts. ARGV: the share of one. */
const GIVE_BACK = redisScript(`#!lua
if redis.call('HGET', KEYS[1], 'forgotten_at') then
  redis.call('HINCRBY', KEYS[1], 'forgotten_at', -ARGV[1])
end`);

/** Attempts in Redis or Valkey, as users/sql-attempts.ts has them; forgotten ones go by themselves. */
export function redisAttempts(redis: RedisConnection, clock: Clock): AttemptStore {
  const name = (key: string) => `${redis.prefix}attempts:${key}`;
  return {
    async wait(key, { limit, period }) {
      const now = clock.now();
      const kept = await redis.run((client) => client.hGet(name(key), 'forgotten_at'));
      const forgottenAt = Number(kept ?? 0);
      return forgottenAt > now + 2 * period
        ? 0
        : Math.max(forgottenAt + period / limit - now - period, 0);
    },
    async take(key, { limit, period }) {
      return Number(await redis.script(TAKE, [name(key)], [clock.now(), period / limit, period]));
    },
    async giveBack(key, { limit, period }) {
      await redis.script(GIVE_BACK, [name(key)], [period / limit]);
    },
    async forget(key) {
      await redis.run((client) => client.del(name(key)));
    },
  };
}
