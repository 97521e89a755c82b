import { isObject, type JsonObject } from './json.ts';
import type { StatusReference } from './revocation.ts';
import { type Token, TokenError } from './token.ts';

/** What claims are held against. Times in seconds. */
export interface Expectations {
  readonly issuer: string;
  /** One of these must be meant; `undefined`: whoever is meant. */
  readonly audiences: readonly string[] | undefined;
  readonly clockTolerance: number;
  /** Whether tokens of the bypass are refused. */
  readonly production: boolean;
}

const TEXTS = ['sub', 'jti', 'sid'] as const;
const TIMES = ['iat', 'exp'] as const;
const OPTIONAL_TEXTS = ['id', 'username', 'name', 'email', 'client_id'] as const;
const LISTS = ['roles', 'amr'] as const;

/**
 * The payload as a token, if it is one that is valid now.
 * @param now seconds since 1970
 * @throws {TokenError}
 */
export function readToken(payload: JsonObject, expected: Expectations, now: number): Token {
  if (!hasRequiredClaims(payload, expected)) throw notRight('payload');
  if (payload.iss !== expected.issuer) {
    throw new TokenError('wrong_issuer', 'The token comes from another issuer.');
  }
  checkAudience(payload, expected.audiences);
  for (const name of TEXTS) {
    if (typeof payload[name] !== 'string' || payload[name] === '') throw notRight(name);
  }
  for (const name of TIMES) if (!Number.isFinite(payload[name])) throw notRight(name);
  for (const name of OPTIONAL_TEXTS) {
    if (payload[name] !== undefined && typeof payload[name] !== 'string') throw notRight(name);
  }
  for (const name of LISTS) {
    if (payload[name] !== undefined && !isListOfTexts(payload[name])) throw notRight(name);
  }
  const { nbf } = payload;
  if (nbf !== undefined && !Number.isFinite(nbf)) throw notRight('nbf');
  checkTimes(payload, expected.clockTolerance, now);
  if (expected.production && isOfBypass(payload)) {
    throw new TokenError('bypass_refused', 'Tokens of the bypass are not accepted here.');
  }
  return payload;
}

/** All of these must be there; their types are looked at one by one, for an error that says which. */
function hasRequiredClaims(payload: JsonObject, { audiences }: Expectations): payload is Token {
  for (const name of ['iss', ...TEXTS, ...TIMES]) demand(payload, name);
  if (audiences !== undefined) demand(payload, 'aud');
  return true;
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function demand(payload: JsonObject, name: string): void {
  if (!Object.hasOwn(payload, name)) {
    throw new TokenError('claim_missing', `The token has no "${name}".`);
  }
}

function notRight(claim: string): TokenError {
  return new TokenError('malformed', `The token's "${claim}" is not right.`);
}

function checkAudience({ aud }: JsonObject, wanted: readonly string[] | undefined): void {
  if (aud === undefined) return; // where it is wanted, it is there
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const areTexts = named.every((name) => typeof name === 'string');
  if (wanted === undefined && !areTexts) throw notRight('aud');
  if (wanted !== undefined && !(areTexts && wanted.some((name) => named.includes(name)))) {
    throw new TokenError('wrong_audience', 'The token is meant for another audience.');
  }
}

/**
 * Written so that a clock that answers no number refuses everything.
 * @param now seconds since 1970
 * @throws {TokenError} `expired` or `not_yet_valid`
 */
export function checkTimes(token: Token, tolerance: number, now: number): void {
  const nbf = token['nbf'];
  if (typeof nbf === 'number' && !(nbf <= now + tolerance)) {
    throw new TokenError('not_yet_valid', 'The token is not valid yet.');
  }
  if (!(token.exp > now - tolerance)) throw new TokenError('expired', 'The token has expired.');
}

function isOfBypass({ amr }: JsonObject): boolean {
  return Array.isArray(amr) && amr.includes('bypass');
}

/**
 * What the claim `status` refers to (draft-ietf-oauth-status-list-21, section 6.2); `undefined` where the token has
 * no status list.
 * @throws {TokenError} `status_refused` for a reference that is none
 */
export function statusReference(token: Token): StatusReference | undefined {
  const status = token['status'];
  if (status === undefined) return undefined;
  const reference = isObject(status) ? status['status_list'] : null;
  if (reference === undefined) return undefined;
  const { idx, uri } = isObject(reference) ? reference : {};
  if (typeof idx !== 'number' || !Number.isSafeInteger(idx) || idx < 0 || typeof uri !== 'string') {
    throw new TokenError('status_refused', 'The status of the token refers to nothing.');
  }
  return { idx, uri };
}

/** Whether the bearer has all of these roles. */
export function hasRoles({ roles }: Token, wanted: readonly string[]): boolean {
  return Array.isArray(roles) && wanted.every((role) => roles.includes(role));
}
