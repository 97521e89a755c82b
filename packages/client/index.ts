import { createAuthOn } from './auth.ts';
import { platform } from './platform.ts';
import type { Auth, AuthOptions } from './types.ts';

export { AuthError, type AuthErrorCode } from './error.ts';
export type { User } from './ticket.ts';
export type {
  Auth,
  AuthFetch,
  AuthOptions,
  AuthState,
  CallOptions,
  Credentials,
  TokenOptions,
} from './types.ts';

/**
 * Keeps an app signed in: who it is, and a token whenever one is wanted. Make one and keep it. Nothing happens until
 * somebody subscribes or wants something.
 *
 * @throws {TypeError} when an address is none
 */
export function createAuth(options: AuthOptions): Auth {
  return createAuthOn(platform, options);
}
