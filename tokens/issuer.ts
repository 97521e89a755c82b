import { randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { type Clock, numericDate } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import {
  type Claims,
  type TokenSession,
  type TokenUser,
  type UserClaim,
  userClaims,
} from './claims.ts';
import type { KeyRing } from './key-ring.ts';

export interface IssuerOptions {
  readonly keyRing: Pick<KeyRing, 'refresh' | 'signing'>;
  readonly clock: Clock;
  /** `iss`. */
  readonly issuer: string;
  /** What `aud` may be; without one the claim is left out. */
  readonly audiences: readonly string[];
  readonly claims: readonly UserClaim[];
  /** Seconds. */
  readonly expiresIn: number;
  readonly profile: 'jwt' | 'rfc9068';
  /** Where the status list of that id is served. */
  readonly statusListUri: (list: string) => string;
}

/** A token and when it ends. */
export interface Ticket {
  readonly jwt: string;
  readonly claims: Claims;
  /** Seconds from now. */
  readonly expiresIn: number;
  /** NumericDate. */
  readonly expiresAt: number;
}

export interface Issuer {
  /**
   * Signs a token for a user's session. It ends after `expiresIn`, or with the session if that is sooner.
   *
   * @param audience one of the configured audiences; left out, all of them
   * @throws {Problem} `invalid_target` for an audience that is not configured (RFC 8707, section 2);
   *   `session_required` when the session ends within this second.
   * @throws {StorageError} when no key is known to be safe to sign with
   */
  issue(user: TokenUser, session: TokenSession, audience?: string): Promise<Ticket>;
}

/** What the profiles differ in. The only client of this service is the app that has the session (RFC 9068, section 2.2). */
const PROFILES = {
  jwt: { typ: 'JWT', claims: {} },
  rfc9068: { typ: 'at+jwt', claims: { client_id: 'coatcheck' } },
} as const;

export function createIssuer(options: IssuerOptions): Issuer {
  const { keyRing, clock, issuer, audiences, expiresIn } = options;
  const included = new Set(options.claims);
  const profile = PROFILES[options.profile];
  const everyAudience = audiences.length === 1 ? audiences[0] : [...audiences];

  function audienceClaim(audience: string | undefined): Pick<Claims, 'aud'> {
    if (audience !== undefined) {
      if (!audiences.includes(audience)) {
        throw new Problem('invalid_target', 'This service issues no tokens for that audience.');
      }
      return { aud: audience };
    }
    return everyAudience === undefined || audiences.length === 0 ? {} : { aud: everyAudience };
  }

  return {
    async issue(user, session, audience) {
      const reading = keyRing.refresh();
      if (reading) await reading;
      const { algorithm, kid, key } = keyRing.signing();
      const iat = numericDate(clock.now());
      const exp = Math.min(iat + expiresIn, numericDate(session.expiresAt));
      if (exp <= iat)
        throw new Problem('session_required', 'Your session has ended. Please sign in again.');
      const claims: Claims = {
        iss: issuer,
        sub: user.id,
        ...audienceClaim(audience),
        iat,
        exp,
        jti: randomUUID(),
        sid: session.publicId,
        auth_time: numericDate(session.createdAt),
        amr: [session.amr],
        status: {
          status_list: {
            idx: session.status.index,
            uri: options.statusListUri(session.status.list),
          },
        },
        ...profile.claims,
        ...userClaims(user, included),
      };
      const jwt = jsonwebtoken.sign(claims, key, {
        header: { alg: algorithm, typ: profile.typ, kid },
        algorithm,
        mutatePayload: true, // the claims are made for this signature alone: no need to copy them
      });
      return { jwt, claims, expiresIn: exp - iat, expiresAt: exp };
    },
  };
}
