import { isIP } from 'node:net';
import { isLocalhostName } from '../../core/http.ts';
import {
  parsePostgresUrl,
  type PostgresUrl,
  shownPostgresUrl,
} from '../../storage/postgres-url.ts';
import type { RedisAddress } from '../../storage/redis-address.ts';
import { type Advice, type Finding, fine, note, orFine, wrong } from './finding.ts';
import { blockList, familyOf, OWN_NETWORKS } from './networks.ts';
import type { Setup } from './setup.ts';

/** Where a server is: on this machine, in a network of one's own as far as its name tells, or anywhere. */
type Place = 'here' | 'inside' | 'outside';

const INSIDE = blockList(OWN_NETWORKS);

/** Passwords that come with a server, or with an example. */
const DEFAULT_PASSWORDS = ['postgres', 'password', 'admin', 'root', 'secret', 'changeme', 'redis'];

/** Whether what goes to PostgreSQL and Redis is encrypted, and who says that it is them. */
export function connections({ settings }: Setup): readonly Finding[] {
  const postgres = parsePostgresUrl(settings.databaseUrl);
  const { sessionStore } = settings;
  if (typeof postgres === 'string' && sessionStore === undefined) {
    return [fine('No server is needed: everything is in a file.')];
  }
  const findings = [
    ...(typeof postgres === 'string' ? [] : postgresFindings(postgres, settings.databaseUrl)),
    ...(sessionStore === undefined ? [] : redisFindings(sessionStore)),
  ];
  return orFine(
    findings,
    'Encrypted, or on this machine, and with no password that is tried first.',
  );
}

function postgresFindings(server: PostgresUrl, url: string): Finding[] {
  const { host, user, password, parameters } = server;
  const place = placeOf(host);
  const address = shownPostgresUrl(url).replace(`//${user}@`, `//${user}:<password>@`);
  const findings: Finding[] = [];
  if (place !== 'here' && parameters.sslmode === 'disable') {
    findings.push(
      graver(place, {
        what: `What goes to the database at ${host} is not encrypted.`,
        why: 'Whoever is on the way reads password hashes and the password of the database, and changes answers.',
        asvs: '12.3.1',
        change: `DATABASE_URL=${address}?sslmode=verify-full`,
      }),
    );
  } else if (place !== 'here' && parameters.sslmode !== 'verify-full') {
    findings.push(
      graver(place, {
        what: `sslmode=${parameters.sslmode} does not ask whether it is ${host} that answers.`,
        why: 'Whoever gets in between passes for the database.',
        asvs: '12.3.2',
        change: `DATABASE_URL=${address}?sslmode=verify-full`,
      }),
    );
  }
  if (password !== '' && (password === user || DEFAULT_PASSWORDS.includes(password))) {
    findings.push(
      graver(place, {
        what: 'The password in DATABASE_URL is one that is tried first.',
        why: 'Who can connect to the database has everything.',
        asvs: '13.2.3',
        change: `DATABASE_URL=${address.replace('<password>', '<another one>')}`,
      }),
    );
  }
  return findings;
}

function redisFindings({ tls, host, port, username, password }: RedisAddress): Finding[] {
  const place = placeOf(host);
  const findings: Finding[] = [];
  const who = `${username ?? ''}:<password>@`;
  if (place !== 'here' && !tls) {
    findings.push(
      graver(place, {
        what: `What goes to Redis at ${host} is not encrypted.`,
        why: 'Whoever is on the way reads the password of Redis, and changes who is signed in.',
        asvs: '12.3.1',
        change: `SESSION_STORE_URL=rediss://${who}${host}:${port}`,
      }),
    );
  }
  if (place !== 'here' && password === undefined) {
    findings.push(
      graver(place, {
        what: `Redis at ${host} wants no password.`,
        why: 'Whoever can connect to it signs in as anybody.',
        asvs: '13.2.1',
        change: `SESSION_STORE_URL=${tls ? 'rediss' : 'redis'}://${who}${host}:${port}`,
      }),
    );
  }
  if (password !== undefined && DEFAULT_PASSWORDS.includes(password)) {
    findings.push(
      graver(place, {
        what: 'The password in SESSION_STORE_URL is one that is tried first.',
        why: 'Whoever can connect to Redis signs in as anybody.',
        asvs: '13.2.3',
        change: `SESSION_STORE_URL=${tls ? 'rediss' : 'redis'}://${username ?? ''}:<another one>@${host}:${port}`,
      }),
    );
  }
  return findings;
}

/** Wrong on the Internet; in a network of one's own a matter of who else is in it. */
function graver(place: Place, advice: Advice): Finding {
  return place === 'outside' ? wrong(advice) : note(advice);
}

function placeOf(host: string): Place {
  if (host.startsWith('/') || isLocalhostName(host)) return 'here';
  if (isIP(host) !== 0) {
    return INSIDE.check(host, familyOf(host)) ? 'inside' : 'outside';
  }
  return /^[^.]+$|\.(?:internal|local|lan|home\.arpa|svc|cluster\.local)$/i.test(host)
    ? 'inside'
    : 'outside';
}
