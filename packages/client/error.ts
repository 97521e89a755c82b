/**
 * What can go wrong: the `code` of the service's answer, such as `invalid_credentials` or `too_many_attempts`, or
 *
 * - `session_required`: nobody is signed in. The service says so, too.
 * - `unreachable`: no answer came in time. There is no network, the service is down, or this origin is not in its
 *   `CORS_ORIGINS`.
 * - `unexpected_answer`: something answered that is not the service.
 * - `superseded`: a logout came in between.
 * - `closed`: `close()` was called.
 */
export type AuthErrorCode =
  | 'session_required'
  | 'invalid_credentials'
  | 'invalid_request'
  | 'invalid_target'
  | 'too_many_attempts'
  | 'overloaded'
  | 'unavailable'
  | 'unreachable'
  | 'unexpected_answer'
  | 'superseded'
  | 'closed'
  | (string & {});

interface Details {
  readonly cause?: unknown;
  readonly status?: number;
  readonly retryAfter?: number | undefined;
}

/** The only kind of error that is made here. A call whose `signal` is aborted rejects with the signal's reason. */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  declare readonly code: AuthErrorCode;
  /** The HTTP status, where there was an answer. */
  declare readonly status: number | undefined;
  /** In how many seconds it is worth trying again, where the service said so. */
  declare readonly retryAfter: number | undefined;

  constructor(code: AuthErrorCode, message: string = code, details: Details = {}) {
    super(message);
    Object.assign(this, { code }, details);
  }
}
