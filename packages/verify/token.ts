/** The claims of a Coatcheck token that was verified. Times are NumericDate, seconds since 1970. */
export interface Token {
  readonly iss: string;
  readonly sub: string;
  readonly aud?: string | string[];
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  /** The session that the token came from. */
  readonly sid: string;
  readonly [claim: string]: unknown;
}

/** Why a token is not accepted. */
export type TokenErrorReason =
  | 'malformed'
  | 'header_refused'
  | 'unknown_key'
  | 'wrong_algorithm'
  | 'bad_signature'
  | 'expired'
  | 'not_yet_valid'
  | 'claim_missing'
  | 'wrong_issuer'
  | 'wrong_audience';

/** A token that is not accepted. The message says why, in words that may be shown to whoever sent it. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reason: TokenErrorReason;

  constructor(reason: TokenErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
