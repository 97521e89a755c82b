import { latencyOf } from './database.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import type { Stores } from './stores.ts';
import { OLDEST_REDIS } from './versions.ts';

/** Whether Redis keeps the sessions that it was given, and is a version that is known to work. */
export function redisDurability({ redis }: Stores): readonly Finding[] {
  if (redis === undefined) return [fine('Sessions are in the database.')];
  const { info } = redis;
  if (info === undefined) {
    return [
      note({
        what: 'The user of SESSION_STORE_URL may not ask Redis what it is.',
        why: 'Whether it keeps sessions through a restart, and throws none away, has to be looked up there.',
        change: 'ACL SETUSER <user> +info +time',
      }),
    ];
  }
  const findings = [...version(info), ...eviction(info), ...persistence(info)];
  const kept = info['aof_enabled'] === '1' ? 'appendonly is on' : 'appendonly is off';
  return orFine(findings, `${nameOf(info)}: ${kept}, ${info['maxmemory_policy'] ?? ''}.`);
}

/** Whether it answers quickly enough to be asked at every exchange. */
export function redisLatency({ redis }: Stores): readonly Finding[] {
  return redis === undefined
    ? [fine('Sessions are in the database.')]
    : latencyOf('Redis', redis.pings, 'SESSION_STORE_URL');
}

type Info = Readonly<Record<string, string>>;

function version(info: Info): Finding[] {
  const number = info['redis_version'] ?? '';
  if (Number.parseInt(number, 10) >= OLDEST_REDIS) return [];
  return [
    wrong({
      what: `Redis ${number} is older than what this is tested with.`,
      why: 'It gets no fixes any more.',
      asvs: '15.2.1',
      change: `Install Redis ${OLDEST_REDIS} or later, or Valkey.`,
    }),
  ];
}

function eviction(info: Info): Finding[] {
  const { maxmemory, maxmemory_policy: policy } = info;
  if (policy === undefined || policy === 'noeviction') return [];
  const advice = {
    what: `maxmemory-policy is ${policy}.`,
    why: 'When memory runs out, Redis throws sessions away: people are signed out, and counts of attempts are forgotten.',
    change: 'maxmemory-policy noeviction',
  };
  return [maxmemory === '0' ? note(advice) : wrong(advice)];
}

function persistence(info: Info): Finding[] {
  const failed = ['aof_last_write_status', 'rdb_last_bgsave_status'].filter(
    (name) => info[name] !== undefined && info[name] !== 'ok',
  );
  if (failed.length > 0) {
    return [
      wrong({
        what: `Redis cannot save to its disk (${failed.join(', ')}).`,
        why: 'It may take no more sign-ins, and a restart loses the sessions.',
        change: 'Look at the log of Redis, and make room on its disk.',
      }),
    ];
  }
  if (info['aof_enabled'] === '1') return [];
  return [
    note({
      what: 'Redis does not write down what it is given at once (appendonly is off).',
      why: 'A restart signs out whoever has signed in since the last snapshot, and forgets attempts.',
      change: 'appendonly yes',
    }),
  ];
}

function nameOf(info: Info): string {
  const valkey = info['valkey_version'];
  return valkey === undefined ? `Redis ${info['redis_version'] ?? ''}` : `Valkey ${valkey}`;
}
