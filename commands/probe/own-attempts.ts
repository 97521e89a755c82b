import { HMAC_ALGORITHMS, isHmac } from '../../tokens/algorithms.ts';
import type { SigningKey } from '../../tokens/key-ring.ts';
import { type Attempt, bearer, type Omission } from './attempt.ts';
import { jws, takeApart } from './jws.ts';
import type { WeaknessName } from './weaknesses.ts';

/** A name that nobody can have (RFC 6761, section 6.4). */
const ELSEWHERE = 'elsewhere.invalid';

/** Seconds. */
const MINUTE = 60;

/** How far a token is out of its time: a minute more than `clockTolerance` of `@coatcheck/verify` may be. */
const OUT_OF_TIME = 11 * MINUTE;

export interface Making {
  readonly key: SigningKey;
  /** A good one, that the others are made after. */
  readonly token: string;
  readonly audiences: readonly string[];
  /** A status list of the service. */
  readonly statusList: string;
  /** What a token of an index that is revoked says of its status, and from when on the API has to know. */
  readonly revoked: { readonly status: object; readonly until: number };
  /** Of an index that stays revoked for years, once it is. */
  readonly endless: object;
}

/** Tokens that the key of the service has signed, and that have to be refused all the same. */
export function ownAttempts(making: Making): Attempt[] {
  const { key, token, statusList, revoked, endless } = making;
  const { header, claims } = takeApart(token);
  const open = { ...claims, status: endless, exp: undefined };
  const now = Number(claims['iat']);
  const signed = (
    name: string,
    tried: string,
    weakness: WeaknessName,
    payload: object,
    head = {},
  ) => bearer(name, tried, weakness, jws({ ...header, ...head }, payload, key));
  const changed = (name: string, tried: string, weakness: WeaknessName, more: object) =>
    signed(name, tried, weakness, { ...claims, ...more });
  const unknown = { crit: [ELSEWHERE], [ELSEWHERE]: true };
  const [before, later] = [now - OUT_OF_TIME, now + OUT_OF_TIME];
  return [
    changed('expired', 'expired 11 minutes ago', 'lifetime', { iat: before - MINUTE, exp: before }),
    changed('not-yet', 'good in 11 minutes', 'lifetime', { nbf: later, exp: later + MINUTE }),
    changed('other-issuer', 'of an issuer whose name has the right one in it', 'issuer', {
      iss: around(claims['iss']),
    }),
    ...audienceAttempts(making, claims['aud'], changed),
    bearer('status-list', 'the status list that everybody can fetch', 'type', statusList),
    signed('other-typ', 'all claims of a token, as statuslist+jwt', 'type', claims, {
      typ: 'statuslist+jwt',
    }),
    signed('crit', 'an extension nobody knows, marked critical', 'critical', claims, unknown),
    ...algorithmAttempts(making, header, claims),
    {
      ...bearer('query', 'a good token in the address', 'query', ''),
      authorization: [],
      query: token,
    },
    {
      ...changed('revoked', 'revoked', 'revocation', { status: revoked.status }),
      until: revoked.until,
    },
    // last of all: right after them they are revoked
    signed('no-exp', 'without an end', 'endless', open),
    signed('exp-text', 'exp is a text', 'endless', { ...open, exp: 'tomorrow' }),
  ];
}

/** Another name that begins and ends with the right one: only whoever compares the whole of it refuses that. */
function around(name: unknown): string {
  return `${String(name)}.${ELSEWHERE}/${String(name)}`;
}

function audienceAttempts(
  { audiences }: Making,
  right: unknown,
  changed: (name: string, tried: string, weakness: WeaknessName, more: object) => Attempt,
): Attempt[] {
  if (audiences.length === 0) return [];
  return [
    changed('other-audience', 'for an audience whose name has the right one in it', 'audience', {
      aud: Array.isArray(right) ? right.map(around) : around(right),
    }),
    changed('no-audience', 'for no audience', 'audience', { aud: undefined }),
  ];
}

/** The same key, but not the algorithm that is named for it. */
function algorithmAttempts({ key }: Making, header: object, claims: object): Attempt[] {
  const alg = otherAlgorithm(key.algorithm);
  if (alg === undefined) return [];
  const text = jws({ ...header, alg }, claims, { algorithm: alg, key: key.key });
  return [
    bearer('other-algorithm', `signed with ${alg} in place of ${key.algorithm}`, 'algorithm', text),
  ];
}

function otherAlgorithm(algorithm: string): string | undefined {
  if (isHmac(algorithm)) return HMAC_ALGORITHMS.find((name) => name !== algorithm);
  return { RS256: 'PS256', PS256: 'RS256' }[algorithm];
}

/** What cannot be tried with the settings as they are. */
export function ownOmissions({ key, audiences }: Making): Omission[] {
  const none: Omission[] = [];
  if (audiences.length === 0) {
    const why = 'JWT_AUDIENCE is not set: every token is for every API';
    none.push({ name: 'other-audience', why }, { name: 'no-audience', why });
  }
  if (otherAlgorithm(key.algorithm) === undefined) {
    none.push({ name: 'other-algorithm', why: `a key of ${key.algorithm} has no other` });
  }
  return none;
}
