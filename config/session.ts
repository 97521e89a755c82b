import type { SessionOptions } from 'express-session';
import type { SessionStore } from '../sessions/session-store.ts';
import type { Settings } from './settings.ts';

/**
 * The name of the session cookie. The prefix makes browsers insist on Secure, Path=/ and no Domain
 * (RFC 6265bis, section 4.1.3.2); over plain http on localhost it could not be set at all.
 */
export function sessionCookieName(settings: Settings): string {
  return isSecure(settings) ? '__Host-session' : 'session';
}

/** The name of the cookie by which a device is known. */
export function deviceCookieName(settings: Settings): string {
  return isSecure(settings) ? '__Host-device' : 'device';
}

/**
 * Which requests carry the session cookie. On the pages of another site it is one of its own for each of those sites
 * (CHIPS, `Partitioned`), as browsers demand that keep no other cookies of third parties.
 */
export function cookieScope({ session }: Settings): CookieScope {
  return session.sameSite === 'none'
    ? { sameSite: 'none', partitioned: true }
    : { sameSite: 'lax', partitioned: false };
}

interface CookieScope {
  readonly sameSite: 'lax' | 'none';
  readonly partitioned: boolean;
}

export function isSecure(settings: Settings): boolean {
  return settings.publicUrl.startsWith('https:');
}

/**
 * How express-session keeps sessions here. The cookie lasts as long as a session possibly can; when it ends
 * is for the store to say, since express-session by itself would slide it for ever.
 */
export function sessionOptions(settings: Settings, store: SessionStore): SessionOptions {
  return {
    name: sessionCookieName(settings),
    secret: [...settings.sessionSecrets],
    store,
    resave: false,
    saveUninitialized: false,
    rolling: false,
    cookie: {
      httpOnly: true,
      path: '/',
      ...cookieScope(settings),
      secure: isSecure(settings),
      maxAge: settings.session.lifetime * 1000,
    },
  };
}
