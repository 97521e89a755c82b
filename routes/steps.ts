import type { Request, RequestHandler, Response } from 'express';
import { Problem } from '../core/errors.ts';
import type { SignIn } from '../sessions/session-store.ts';
import type { User } from '../users/user-store.ts';
import type { RouteServices, Site } from './services.ts';

/** For answers that carry or depend on a session or a token (RFC 9111, section 5.2.2.5), on every status. */
export const noStore: RequestHandler = (_req, res, next) => {
  res.setHeader('Cache-Control', 'no-store');
  next();
};

/** Adds a directive to the Content-Security-Policy of an answer, which by default lets a page run no script. */
export function addToPolicy(res: Response, directive: string): void {
  const policy = String(res.getHeader('Content-Security-Policy'));
  res.setHeader('Content-Security-Policy', `${policy};${directive}`);
}

/**
 * Refuses requests that another site made a browser send: it could sign the victim in as somebody else, or
 * out. Fetch Metadata says so where the browser sends it; `Origin` otherwise. A caller that sends neither is
 * no browser that could be made to do anything.
 */
export function refuseCrossSite(site: Site): RequestHandler {
  const trusted = new Set(site.corsOrigins);
  return (req, _res, next) => {
    if (isCrossSite(req, site, trusted)) {
      throw new Problem(
        'cross_site_request',
        'Another site sent this request. If it is an app of yours, list its origin in CORS_ORIGINS.',
      );
    }
    next();
  };
}

function isCrossSite(req: Request, site: Site, trusted: ReadonlySet<string>): boolean {
  const { origin } = req.headers;
  if (origin !== undefined && trusted.has(origin)) return false;
  const fetchSite = req.headers['sec-fetch-site'];
  if (fetchSite !== undefined) return fetchSite !== 'same-origin' && fetchSite !== 'none';
  return origin !== undefined && origin !== site.publicUrl;
}

/** Whether the browser says that a page of this service, or the person at the address bar, asked for this. */
export function isOwnNavigation({ headers }: Request): boolean {
  const fetchSite = headers['sec-fetch-site'];
  const own = fetchSite === 'same-origin' || fetchSite === 'none';
  return own && (headers['sec-fetch-mode'] ?? 'navigate') === 'navigate';
}

/**
 * For routes that only ask who is signed in: reads the sign-in of the session, and nothing else of it. What
 * express-session does beyond that takes longer than everything else in an exchange.
 */
export function readSession({ sessions, sessionId, log }: RouteServices): RequestHandler {
  return async (req, _res, next) => {
    const id = sessionId(req.headers.cookie);
    const signIn = id === undefined ? undefined : await sessions.find(id);
    if (id !== undefined && signIn !== undefined) {
      req.signIn = signIn;
      // a disk that is full is no reason to refuse somebody who is signed in
      await sessions.markSeen(id, signIn)?.catch((error: unknown) => {
        log.error({ request: req.id, err: error }, 'could not note that a session is in use');
      });
    }
    next();
  };
}

export function signInOf(req: Request): SignIn | undefined {
  return req.signIn ?? req.session?.passport?.user;
}

/** The sign-in of the session that came with the request. @throws {Problem} `session_required` */
export function requiredSignIn(req: Request): SignIn {
  const signIn = signInOf(req);
  if (signIn === undefined) throw sessionRequired();
  return signIn;
}

/** One answer for signed out, expired, disabled and deleted. */
export function sessionRequired(): Problem {
  return new Problem('session_required', 'No one is signed in with this request.');
}

/**
 * Who is signed in, read afresh, so that a disabled or deleted user is nobody. So is who came in by the bypass, once the
 * same data are used in production.
 */
export async function viewerOf(
  req: Request,
  { users, site }: RouteServices,
): Promise<User | undefined> {
  const signIn = signInOf(req);
  if (signIn === undefined || (signIn.amr === 'bypass' && site.production)) return undefined;
  return users.findActive(signIn.userId);
}

/** As `viewerOf`. @throws {Problem} `session_required` */
export async function requiredViewer(req: Request, services: RouteServices): Promise<User> {
  const viewer = await viewerOf(req, services);
  if (viewer === undefined) throw sessionRequired();
  return viewer;
}

/** Lets only requests of somebody who is signed in through. */
export function requireViewer(services: RouteServices): RequestHandler {
  return async (req, _res, next) => {
    await requiredViewer(req, services);
    next();
  };
}

/** What the world may know of a user, in answers to that user. */
export function publicUser({ id, username, name, email, roles }: User) {
  return { id, username, name, email, roles };
}

/** Sets the JWT as a cookie too, where the set-up wants that. It ends with the token. */
export function setTokenCookie(res: Response, site: Site, jwt: string, expiresIn: number): void {
  if (site.tokenCookie === undefined) return;
  res.cookie(site.tokenCookie, jwt, { ...cookieAttributes(site), maxAge: expiresIn * 1000 });
}

/** Takes back every cookie of a session that was ended. */
export function clearCookies(res: Response, site: Site): void {
  const attributes = cookieAttributes(site);
  res.clearCookie(site.sessionCookie, { ...attributes, ...site.cookieScope });
  if (site.tokenCookie !== undefined) res.clearCookie(site.tokenCookie, attributes);
}

/** What all cookies have in common, unless they have a scope of their own. */
export function cookieAttributes(site: Site) {
  return { httpOnly: true, secure: site.secure, sameSite: 'lax', path: '/' } as const;
}
