import { TokenError } from '#verify';
import type { Reason } from './claim-reasons.ts';
import type { PastedToken } from './pasted-token.ts';
import { statusListIn } from './status-check.ts';

/** Where revocations are looked up. */
export interface RevocationLookup {
  /**
   * Whether the entry in `status.status_list` of a token of ours is revoked.
   * @throws {TokenError} when it is none of this service
   */
  readonly isRevoked: (entry: unknown) => Promise<boolean>;
  /** Whether the session of that public id is one of the user's, and goes on. */
  readonly sessionGoesOn: (userId: string, publicId: string) => Promise<boolean>;
}

/** Milliseconds. Entries of status lists are deleted a day after the last of their tokens, and count as revoked then. */
const ENTRY_OUTLIVES_TOKEN = 23 * 3_600_000;

/** Whether it was revoked, also if it has expired meanwhile. Only asked for tokens of ours, so that nobody can look around in the lists. */
export async function revocationReasons(
  { isRevoked, sessionGoesOn }: RevocationLookup,
  claims: PastedToken['claims'],
  now: number,
): Promise<Reason[]> {
  if (claims === undefined) return [];
  const { status, exp, sub, sid } = claims;
  if (typeof exp === 'number' && exp * 1000 + ENTRY_OUTLIVES_TOKEN < now) return [];
  try {
    if (!(await isRevoked(statusListIn(status)))) return [];
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return [
      {
        code: 'status_refused',
        says: 'Its "status" is no entry of a status list of this service: nobody could revoke it.',
      },
    ];
  }
  const known = typeof sub === 'string' && typeof sid === 'string';
  const says =
    known && (await sessionGoesOn(sub, sid))
      ? 'It has been revoked, with all tokens that its session had until then: the roles or the e-mail address of the user changed, or somebody revoked it. The session goes on: fetch a new token.'
      : 'It has been revoked: its session has ended, by a logout, a change of password, or because the user was disabled.';
  return [{ code: 'revoked', says }];
}
