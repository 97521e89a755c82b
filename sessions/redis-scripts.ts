import { redisScript } from '../storage/redis-connection.ts';

/**
 * What has to be one step in Redis. A session is a hash; the sorted set of a user has the hash of each one's id as
 * a member, with the end of the session as its score.
 *
 * Where Redis is full it refuses a script, unless that is flagged as one that may run all the same: those that remove,
 * and those that put a text in the place of one that is as long.
 */
const WHEN_FULL = '#!lua flags=allow-oom\n';
const NOT_WHEN_FULL = '#!lua\n';

/**
 * Keeps a new session. KEYS: the session, the sessions of its user. ARGV: the public id of the session that it may
 * replace, how long Redis keeps it, its member, its end, now, and its fields and values. Times in milliseconds.
 * Answers the public id of a session that is there and may not be replaced, and keeps nothing then.
 */
export const INSERT = redisScript(`${NOT_WHEN_FULL}
local there = redis.call('HGET', KEYS[1], 'public_id')
if there and there ~= ARGV[1] then return there end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[2], math.max(ARGV[2], last[2] - ARGV[5]))
return false`);

/** Changes a session that is still there. KEYS: the session. ARGV: its public id, how long Redis keeps it, fields and values. */
const CHANGE = `
if redis.call('HGET', KEYS[1], 'public_id') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

export const UPDATE = redisScript(NOT_WHEN_FULL + CHANGE);

/** The same, for fields that do not grow. */
export const MARK_SEEN = redisScript(WHEN_FULL + CHANGE);

/** Gives a session that is still there another entry. KEYS: the session. ARGV: its public id, the old entry, the new one. */
export const RENEW = redisScript(`${WHEN_FULL}
local there = redis.call('HMGET', KEYS[1], 'public_id', 'status')
if there[1] ~= ARGV[1] or there[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'status', ARGV[3])
return 1`);

/** Removes sessions of one user. KEYS: the sessions of the user, each session. ARGV: for each, its member and its public id. */
export const REMOVE = redisScript(`${WHEN_FULL}
for n = 2, #KEYS do
  local member, id = ARGV[2 * n - 3], ARGV[2 * n - 2]
  redis.call('ZREM', KEYS[1], member)
  if redis.call('HGET', KEYS[n], 'public_id') == id then redis.call('DEL', KEYS[n]) end
end`);
