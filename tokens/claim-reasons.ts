import { isMilliseconds, quoted, timeClaim, whenInWords } from './explain.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** One thing that is wrong with a token. */
export interface Reason {
  readonly code: ReasonCode;
  /** A sentence; where there is a time, the beginning of one: "It expired". */
  readonly says: string;
  /** Milliseconds since 1970. */
  readonly at?: number;
}

/** A reason as one sentence. @param now milliseconds since 1970 */
export function reasonInWords({ says, at }: Reason, now: number): string {
  return at === undefined ? says : `${says} ${whenInWords(at, now)}.`;
}

export type ReasonCode =
  | 'malformed'
  | 'no_signature'
  | 'header_refused'
  | 'unknown_key'
  | 'retired_key'
  | 'wrong_algorithm'
  | 'bad_signature'
  | 'wrong_type'
  | 'no_claims'
  | 'claim_missing'
  | 'claim_wrong'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'expired'
  | 'not_yet_valid'
  | 'milliseconds'
  | 'bypass_refused'
  | 'status_refused'
  | 'revoked'
  | 'other';

/** What the claims are held against. */
export interface Expected {
  readonly issuer: string;
  /** Whoever is meant must be one of these; empty: whoever is meant. */
  readonly audiences: readonly string[];
  /** Whether tokens of the bypass are refused. */
  readonly production: boolean;
}

const REQUIRED = ['iss', 'sub', 'jti', 'sid', 'iat', 'exp'] as const;
const TEXTS = ['sub', 'jti', 'sid'] as const;
const OPTIONAL_TEXTS = ['id', 'username', 'name', 'email', 'client_id'] as const;
const LISTS = ['roles', 'amr'] as const;

/**
 * Everything that is wrong with the claims, where a verifier stops at the first. What it decides itself is in
 * packages/verify/claims.ts: a test holds the two together.
 * @param now milliseconds since 1970
 */
export function claimReasons(claims: JsonObject, expected: Expected, now: number): Reason[] {
  return [
    ...timeReasons(claims, Math.floor(now / 1000)),
    ...issuerReasons(claims, expected),
    ...audienceReasons(claims, expected.audiences),
    ...missing(claims),
    ...misshapen(claims),
    ...bypassReasons(claims, expected),
  ];
}

function has(claims: JsonObject, name: string): boolean {
  return Object.hasOwn(claims, name);
}

/** @param now seconds since 1970 */
function timeReasons({ exp, nbf, iat }: JsonObject, now: number): Reason[] {
  const reasons: Reason[] = [];
  if (typeof exp === 'number' && !(exp > now)) {
    const at = timeClaim(exp);
    reasons.push({
      code: 'expired',
      ...(at === undefined ? { says: 'It expired long ago.' } : { says: 'It expired', at }),
    });
  }
  if (typeof nbf === 'number' && !(nbf <= now)) {
    const at = isMilliseconds(nbf) ? undefined : timeClaim(nbf);
    const says = 'It is not valid yet';
    reasons.push({
      code: 'not_yet_valid',
      ...(at === undefined ? { says: `${says}.` } : { says: `${says}: that begins`, at }),
    });
  }
  const wrong = Object.entries({ exp, nbf, iat }).flatMap(([name, value]) =>
    isMilliseconds(value) ? [name] : [],
  );
  if (wrong.length > 0) {
    const names = wrong.map((name) => `"${name}"`).join(' and ');
    const [is, they] = wrong.length === 1 ? ['is', 'it'] : ['are', 'they'];
    reasons.push({
      code: 'milliseconds',
      says: `${names} ${is} in milliseconds, and ${they} must be in seconds (RFC 7519, section 2): divide by 1000.`,
    });
  }
  return reasons;
}

function issuerReasons(claims: JsonObject, { issuer }: Expected): Reason[] {
  if (!has(claims, 'iss') || claims['iss'] === issuer) return [];
  const says = `The issuer is wrong: it is ${quoted(claims['iss'])}, and expected is ${quoted(issuer)}.`;
  return [{ code: 'wrong_issuer', says }];
}

function audienceReasons(claims: JsonObject, audiences: readonly string[]): Reason[] {
  const { aud } = claims;
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const areTexts = named.every((name) => typeof name === 'string');
  if (aud !== undefined && !areTexts) {
    return [{ code: 'claim_wrong', says: '"aud" must be a text or a list of texts.' }];
  }
  if (audiences.length === 0 || audiences.some((name) => named.includes(name))) return [];
  const expected = audiences.map(quoted).join(' or ');
  const says =
    aud === undefined
      ? `It has no audience, and expected is ${expected}.`
      : `The audience is wrong: it is ${quoted(aud)}, and expected is ${expected}.`;
  return [{ code: 'wrong_audience', says }];
}

function missing(claims: JsonObject): Reason[] {
  const names = REQUIRED.filter((name) => !has(claims, name));
  if (names.length === 0) return [];
  const says = `It lacks claims that every token of this service has: ${names.join(', ')}.`;
  return [{ code: 'claim_missing', says }];
}

function misshapen(claims: JsonObject): Reason[] {
  const isWrong = (name: string, test: (value: unknown) => boolean) =>
    has(claims, name) && !test(claims[name]);
  const isText = (value: unknown) => typeof value === 'string';
  const wrong = [
    ...TEXTS.filter((name) => isWrong(name, (value) => isText(value) && value !== '')).map(
      (name) => `"${name}" must be a text that is not empty`,
    ),
    ...['iat', 'exp', 'nbf']
      .filter((name) => isWrong(name, Number.isFinite))
      .map((name) => `"${name}" must be a number of seconds`),
    ...OPTIONAL_TEXTS.filter((name) => isWrong(name, isText)).map(
      (name) => `"${name}" must be a text`,
    ),
    ...LISTS.filter((name) =>
      isWrong(name, (value) => Array.isArray(value) && value.every(isText)),
    ).map((name) => `"${name}" must be a list of texts`),
  ];
  return wrong.map((says) => ({ code: 'claim_wrong', says: `${says}.` }));
}

function bypassReasons({ amr }: JsonObject, { production }: Expected): Reason[] {
  if (!production || !Array.isArray(amr) || !amr.includes('bypass')) return [];
  const says =
    'It comes from the bypass of development, without a password, and is refused in production.';
  return [{ code: 'bypass_refused', says }];
}
