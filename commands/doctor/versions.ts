/**
 * When Node's releases get their last fix: https://github.com/nodejs/Release/blob/main/schedule.json, read in July 2026.
 * Versions that this service does not run on are left out.
 */
export const NODE_ENDS: Readonly<Record<number, string>> = {
  22: '2027-04-30',
  23: '2025-06-01',
  24: '2028-04-30',
  25: '2026-06-01',
  26: '2029-04-30',
  27: '2030-04-30',
};

/** When PostgreSQL's get theirs: https://www.postgresql.org/support/versioning/. */
export const POSTGRES_ENDS: Readonly<Record<number, string>> = {
  12: '2024-11-21',
  13: '2025-11-13',
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
};

/** The oldest Redis that this is tested with. Valkey says 7.2 when it is asked for its version of Redis. */
export const OLDEST_REDIS = 7;

/** A hole in a library that a request reaches, and the first version without it. */
export interface Floor {
  /** The library, behind those through which it comes. */
  readonly path: readonly string[];
  readonly atLeast: string;
  readonly hole: string;
}

export const VERSION_FLOORS: readonly Floor[] = [
  {
    path: ['passport'],
    atLeast: '0.6.0',
    hole: 'keeps the id of the session at login, so that one that was planted is signed in (CVE-2022-25896)',
  },
  {
    path: ['jsonwebtoken'],
    atLeast: '9.0.3',
    hole: 'comes with a jws that does not always check the signature of HS* (CVE-2025-65945)',
  },
  {
    path: ['jose'],
    atLeast: '4.15.5',
    hole: 'can be kept busy by an encrypted token that unpacks to a huge one (CVE-2024-28176)',
  },
  {
    path: ['express-session'],
    atLeast: '1.18.2',
    hole: 'comes with an on-headers that can mix up headers of answers (CVE-2025-7339)',
  },
  {
    path: ['express', 'body-parser'],
    atLeast: '2.2.1',
    hole: 'can be kept busy by a form with very many parts (CVE-2025-13466)',
  },
  {
    path: ['express', 'router', 'path-to-regexp'],
    atLeast: '8.4.0',
    hole: 'can be kept busy by addresses (GHSA-j3q9-mxjg-w52f)',
  },
];

/** Whether a version is before another one. A version that is not known is. */
export function isOlder(version: string | undefined, atLeast: string): boolean {
  if (version === undefined) return true;
  const [ours, theirs] = [version, atLeast].map((text) => text.split(/[.+-]/, 3).map(Number));
  for (const [index, part] of (theirs ?? []).entries()) {
    const own = ours?.[index] ?? 0;
    if (own !== part) return own < part;
  }
  return version.includes('-'); // before the release that it prepares
}
