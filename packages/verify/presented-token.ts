import type { IncomingMessage } from 'node:http';
import { bearerToken } from './bearer.ts';
import { cookieValues } from './cookies.ts';
import { RequestError } from './request-error.ts';

/** What of a request is looked at. */
export type TokenRequest = Pick<IncomingMessage, 'headers' | 'url'> &
  Partial<Pick<IncomingMessage, 'rawHeaders'>>;

/**
 * The one token of the request: from the `Authorization` header or from a cookie (RFC 6750, section 2). Bodies are
 * not read.
 *
 * @param cookie name of the cookie that may carry it; left out, none may. Browsers send cookies by themselves, with
 *   requests that other sites make as well: set it with `SameSite`.
 * @throws {RequestError} `token_required` when there is none; `invalid_request` when there are two, when one is in
 *   the address, which ends up in logs, or when the header is not understood
 */
export function presentedToken(request: TokenRequest, cookie?: string): string {
  if (hasTokenInAddress(request.url)) {
    throw refused(
      'A token in the address ends up in logs and histories: send it in the Authorization header.',
    );
  }
  if (countAuthorization(request.rawHeaders) > 1)
    throw refused('There are two Authorization headers.');
  const header = bearerToken(request.headers.authorization);
  if (header === 'malformed') throw refused('The Authorization header is not "Bearer <token>".');
  const tokens = new Set(cookie === undefined ? [] : cookieValues(request.headers.cookie, cookie));
  if (header !== 'none') tokens.add(header.token);
  if (tokens.size > 1) throw refused('The request holds two different tokens.');
  for (const token of tokens) return token;
  throw new RequestError('token_required', 'Send "Authorization: Bearer <token>".');
}

function refused(message: string): RequestError {
  return new RequestError('invalid_request', message);
}

function hasTokenInAddress(url = ''): boolean {
  const query = url.indexOf('?');
  return query !== -1 && new URLSearchParams(url.slice(query)).has('access_token');
}

/** Node keeps the first of two `Authorization` headers and drops the other, which a proxy may have looked at. */
function countAuthorization(rawHeaders: readonly string[] = []): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 13 && name.toLowerCase() === 'authorization') count += 1;
  }
  return count;
}
