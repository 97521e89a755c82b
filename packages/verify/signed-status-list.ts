import type { JsonObject } from './json.ts';
import { openJws } from './jws.ts';
import type { KeySource } from './keys.ts';
import { decodeStatusList, type StatusList } from './status-list.ts';
import { TokenError } from './token.ts';
import { isStatusListType } from './typ.ts';
import { UnavailableError } from './unavailable.ts';

/** Seconds, where the list does not say. */
const DEFAULT_LIFE = 60;

export interface StatusListRules {
  readonly keys: KeySource;
  readonly issuer: string;
  /** Seconds. */
  readonly clockTolerance: number;
}

/** A list as its issuer signed it. Times in seconds. */
export interface SignedStatusList {
  readonly list: StatusList;
  readonly iat: number;
  readonly exp: number;
  /** How long after `iat` there may be a newer one. */
  readonly ttl: number;
}

/**
 * Reads a Status List Token (draft-ietf-oauth-status-list-21, sections 5.1 and 8.3).
 * @param uri where it came from, which it must speak of
 * @param now seconds since 1970
 * @throws {TokenError} `status_refused` for every other text
 * @throws {UnavailableError} when the key that signed it cannot be had, or is not known: then it may be right; or when
 *   the list has expired: nobody has a newer one, which says nothing about the token
 */
export async function readSignedStatusList(
  jws: string,
  uri: string,
  rules: StatusListRules,
  now: number,
): Promise<SignedStatusList> {
  try {
    const { typ, payload } = await openJws(jws, rules.keys);
    if (!isStatusListType(typ)) throw new Error('it is not of the type statuslist+jwt');
    if (payload['sub'] !== uri) throw new Error('it speaks of another address');
    if (payload['iss'] !== undefined && payload['iss'] !== rules.issuer) {
      throw new Error('it comes from another issuer');
    }
    const times = readTimes(payload, now - rules.clockTolerance);
    const list = await decodeStatusList(payload['status_list']);
    return { list, ...times };
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    if (error instanceof TokenError && error.reason === 'unknown_key') {
      // the service signs with a key that is not known here: while it changes its algorithm, tokens of both are good
      throw new UnavailableError('The status list is signed with a key that is not known here.', {
        cause: error,
      });
    }
    throw new TokenError('status_refused', 'The status list of the token is not right.', {
      cause: error,
    });
  }
}

/** @param earliest what `exp` must be after */
function readTimes({ iat, exp = Infinity, ttl = DEFAULT_LIFE }: JsonObject, earliest: number) {
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw new Error('it has no time of issue');
  if (typeof exp !== 'number') throw new Error('its time of expiry is none');
  if (!(exp > earliest)) throw new UnavailableError('The status list of the token has expired.');
  if (typeof ttl !== 'number' || !(ttl > 0 && ttl < Infinity))
    throw new Error('its time to live is not positive');
  return { iat, exp, ttl };
}
