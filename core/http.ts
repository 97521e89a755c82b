import { isIP } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Sends JSON in one write. Express's `res.json` would look for an `ETag`, a charset and a fresh cache on
 * the way, none of which an answer of ours may have.
 */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  type = 'application/json; charset=utf-8',
): void {
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': length });
  res.end(text, length === text.length ? 'latin1' : 'utf8'); // ASCII is written as it is, without a conversion
}

export function sendHtml(res: ServerResponse, status: number, html: string): void {
  res.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(html),
  });
  res.end(html);
}

/** 303: whatever the method was, the browser goes on with GET (RFC 9110, section 15.4.4). */
export function seeOther(res: ServerResponse, path: string): void {
  res.writeHead(303, { Location: path, 'Content-Length': 0 });
  res.end();
}

/** Whether the caller is a browser that wants a page, not a script that wants JSON. */
export function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('text/html');
}

const NOT_IN_A_PATH = /[\p{Cc}\\]/u;

/**
 * A `returnTo` that may be followed: a path on this origin, as given; otherwise `undefined`.
 * Browsers read `//host`, `/\host` and paths with tabs or line breaks in them as other sites.
 */
export function localPath(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 2048 || NOT_IN_A_PATH.test(value))
    return undefined;
  if (!value.startsWith('/') || value.startsWith('//') || !value.isWellFormed()) return undefined;
  const here = 'http://this-origin.invalid';
  const url = URL.parse(value, here);
  if (url?.origin !== here || url.pathname.startsWith('//')) return undefined;
  return url.pathname + url.search + url.hash;
}

/** 127.0.0.0/8, ::1 and the former written as IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const v4 = address.replace(/^::ffff:/i, '');
  return isIP(v4) === 4 ? v4.startsWith('127.') : address === '::1';
}

/** A host name or address, without port, that always means this machine (RFC 6761, section 6.3). */
export function isLocalhostName(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name);
}

/** The host of a `Host` header, without its port; `undefined` where it is not one. */
export function hostName(header: string | undefined): string | undefined {
  if (header === undefined || !/^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i.test(header))
    return undefined;
  return header.replace(/:\d{1,5}$/, '');
}

/** Where no route is. */
const NOWHERE = '/*';

/**
 * The path and query of a request target: those of an absolute URL (RFC 9112, section 3.2.2), whatever host is in
 * it. What is neither becomes a path that nothing is at: Express leaves it to a parser that takes `/auth/token#x`
 * for `/auth/token`, and answers what that cannot read by itself, without our headers and past our log.
 */
export function originForm(target: string): string {
  const path = target.startsWith('/') ? target : pathOfUrl(target);
  return path !== undefined && !/[\s#]/.test(path) && isDecodable(path) ? path : NOWHERE;
}

/** Where a route has a part that varies, Express would answer 400 to a path with a `%` that nothing follows. */
function isDecodable(target: string): boolean {
  const path = target.split('?', 1)[0] ?? '';
  if (!path.includes('%')) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function pathOfUrl(target: string): string | undefined {
  const authority = /^https?:\/\/[^/?#]+/i.exec(target);
  if (authority === null || !URL.canParse(target)) return undefined;
  return `/${target.slice(authority[0].length).replace(/^\//, '')}`;
}

/**
 * The value of the first cookie of that name in a `Cookie` header, as it was sent. Only blanks and tabs are no
 * part of a name: a browser lets any site of the same domain set a cookie called U+00A0 and `__Host-session`.
 */
export function cookieValue(cookies: string | undefined, name: string): string | undefined {
  const pairs = cookies?.split(';').map((item) => item.replace(/^[ \t]+/, ''));
  const pair = pairs?.find((item) => item.startsWith(`${name}=`));
  return pair && withoutBlanksAtEnd(pair.slice(name.length + 1));
}

/** A regular expression would begin anew at each blank of a long run of them: the square of the time. */
function withoutBlanksAtEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(0, end);
}

/** Who sent a request, as the record and the log have it. `ip` is what `TRUST_PROXY` lets a proxy say. */
export function callerOf({
  id,
  ip,
  headers,
}: IncomingMessage & { id: string; ip?: string | undefined }) {
  return { request: id, address: ip, userAgent: headers['user-agent'] };
}
