import type { User } from './ticket.ts';

export interface AuthOptions {
  /** The origin of the service, such as `https://login.example.com`. */
  readonly baseUrl: string;
  /** The audience of tokens where a call names none. Default: all that the service has. */
  readonly audience?: string;
  /** The origins of the APIs that `fetch` may show the token to; the service is one of them anyway. Default: none. */
  readonly origins?: readonly string[];
  /** How long one request to the service may take, in milliseconds. Default: 10,000. */
  readonly timeout?: number;
  /** How long a call may wait in all, in milliseconds, with everything that is tried again. Default: 30,000. */
  readonly patience?: number;
  /** How to send requests. Default: the platform's `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * - `unknown`: the service has not been asked yet, or has not answered yet.
 * - `signed-in`, `signed-out`: as it said last.
 * - `offline`: it cannot be asked at the moment, and is asked again and again. `user` is who was signed in.
 */
export type AuthState = 'unknown' | 'signed-in' | 'signed-out' | 'offline';

export interface CallOptions {
  /** Ends the wait of this call. What others wait for goes on. */
  readonly signal?: AbortSignal | undefined;
}

export interface TokenOptions extends CallOptions {
  /** One of the service's `JWT_AUDIENCE`. Default: the option of `createAuth`. */
  readonly audience?: string | undefined;
  /** A token that an API refused: another one is fetched, unless there is one already. */
  readonly refused?: string | undefined;
}

export interface Credentials {
  /** Or the e-mail address. */
  readonly username: string;
  readonly password: string;
}

/** `fetch`, with the audience of the token. */
export type AuthFetch = (
  input: Parameters<typeof fetch>[0],
  init?: RequestInit & { readonly audience?: string },
) => Promise<Response>;

/** Who is signed in, in all tabs of an app. No function of it needs `this`. */
export interface Auth {
  readonly state: AuthState;
  /** Who is signed in, as their token says: for showing. What they may do, the API decides. Changes as a whole. */
  readonly user: User | undefined;
  /** Asks the service who is signed in, if that is not known, and calls back at each change. @returns what ends that */
  readonly subscribe: (listener: () => void) => () => void;
  /**
   * A token that is good for a while. However many ask, there is one request; nobody waits for longer than `patience`.
   *
   * @throws {AuthError} `session_required` when nobody is signed in
   */
  readonly getToken: (options?: TokenOptions) => Promise<string>;
  /**
   * `fetch` with the token for the service and the `origins`, and without it for all others. When the token is refused with
   * 401, the request is repeated with another one, once.
   *
   * @throws {AuthError} as `getToken`; and whatever `fetch` throws
   */
  readonly fetch: AuthFetch;
  /** @throws {AuthError} `invalid_credentials`; `too_many_attempts` and `overloaded`, with `retryAfter` */
  readonly login: (credentials: Credentials, options?: CallOptions) => Promise<User>;
  /**
   * Forgets all tokens at once, in all tabs, and tells the service.
   *
   * @throws {AuthError} when that could not be told, so that the session goes on there: call it again
   */
  readonly logout: (options?: CallOptions) => Promise<void>;
  /** Stops everything. Nobody is signed out by that. */
  readonly close: () => void;
}
