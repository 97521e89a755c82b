import { challenge, type HttpForm } from './http-form.ts';

/**
 * The claims of a Coatcheck token that was verified. Times are NumericDate, seconds since 1970. Whoever
 * shows a token again is given the same object each time, frozen to its depths.
 */
export interface Token {
  readonly iss: string;
  /** Who the bearer is: the id of the user. */
  readonly sub: string;
  readonly aud?: string | readonly string[];
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  /** The session that the token came from. */
  readonly sid: string;
  /** When the bearer signed in. */
  readonly auth_time?: number;
  /** How: `pwd`, or `bypass` in development. */
  readonly amr?: readonly string[];
  readonly id?: string;
  readonly username?: string;
  readonly name?: string;
  readonly email?: string;
  readonly roles?: readonly string[];
  /** With `JWT_PROFILE=rfc9068`. */
  readonly client_id?: string;
  readonly [claim: string]: unknown;
}

/** Why a token is not accepted. */
export type TokenErrorReason =
  | 'malformed'
  | 'header_refused'
  | 'unknown_key'
  | 'wrong_algorithm'
  | 'bad_signature'
  | 'wrong_type'
  | 'expired'
  | 'not_yet_valid'
  | 'claim_missing'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'bypass_refused'
  | 'status_refused'
  | 'revoked';

/**
 * A token that is not accepted: 401 `invalid_token` (RFC 6750, section 3.1). The message says why, in words that may
 * be shown to whoever sent it.
 */
export class TokenError extends Error implements HttpForm {
  override readonly name = 'TokenError';
  readonly reason: TokenErrorReason;
  readonly status = 401;
  readonly code = 'invalid_token';
  readonly title = 'The token is not accepted';

  constructor(reason: TokenErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }

  get headers(): Readonly<Record<string, string>> {
    return { 'WWW-Authenticate': challenge(this.code, this.message) };
  }
}
