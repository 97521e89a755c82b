import { createSecretKey } from 'node:crypto';
import { unsign } from 'cookie-signature';
import { cookieValue } from '../core/http.ts';

/** The mark of a signed value in express-session's cookies. */
const SIGNED = 's:';

/**
 * Reads the id out of the session cookie that express-session has set, as it would itself.
 *
 * @param secrets any of them may have signed it
 * @returns a function of the `Cookie` header; it answers `undefined` where there is no cookie with a good signature
 */
export function sessionCookieReader(
  name: string,
  secrets: readonly string[],
): (cookies: string | undefined) => string | undefined {
  const keys = secrets.map((secret) => createSecretKey(secret, 'utf8'));
  return (cookies) => {
    const value = decoded(cookieValue(cookies, name));
    if (!value?.startsWith(SIGNED)) return undefined;
    for (const key of keys) {
      const id = unsign(value.slice(SIGNED.length), key);
      if (id !== false) return id;
    }
    return undefined;
  };
}

function decoded(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return undefined; // no escape that means anything: not a cookie of ours
  }
}
