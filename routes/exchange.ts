import type { Request, RequestHandler, Router } from 'express';
import { bearerToken, TokenError } from '#verify';
import { numericDate } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { sendJson } from '../core/http.ts';
import { endpoint } from './endpoint.ts';
import type { RouteServices, Site } from './services.ts';
import {
  noStore,
  publicUser,
  refuseCrossSite,
  requiredSignIn,
  requiredViewer,
  setTokenCookie,
} from './steps.ts';

/** What this service exists for: a session in, a token out; and the two ways to ask whose they are. */
export function exchangeEndpoints(router: Router, services: RouteServices): void {
  const { session, site } = services;
  endpoint(router, '/auth/token', {
    get: [noStore, refuseCrossSite(site), session, sendToken(services)],
  });
  endpoint(router, '/auth/session', { get: [noStore, session, sendSession(services)] });
  endpoint(router, '/auth/me', { get: [noStore, sendProfile(services)] });
}

/** The user is read afresh: new roles show at once, and who was disabled since sign-in gets nothing. */
function sendToken(services: RouteServices): RequestHandler {
  const { issuer, clock, site } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    const ticket = issuer.issue(user, signIn, audienceOf(req));
    setTokenCookie(res, site, ticket.jwt, ticket.expiresIn);
    sendJson(res, 200, {
      token: ticket.jwt,
      token_type: 'Bearer',
      expires_in: ticket.expiresIn,
      expires_at: ticket.expiresAt,
      session_expires_at: sessionEnd(signIn.expiresAt, clock.now(), site),
    });
  };
}

/** When the session ends if it is not used again: this request counts as use. */
function sessionEnd(expiresAt: number, now: number, site: Site): number {
  return numericDate(Math.min(expiresAt, now + site.idleTimeout * 1000));
}

function audienceOf(req: Request): string | undefined {
  if (!req.url.includes('?')) return undefined;
  const { audience } = req.query;
  if (audience === undefined || typeof audience === 'string') return audience;
  throw new Problem('invalid_request', 'audience is given more than once.', { field: 'audience' });
}

function sendSession(services: RouteServices): RequestHandler {
  const { clock, site } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    sendJson(res, 200, {
      user: publicUser(user),
      session: {
        id: signIn.publicId,
        amr: [signIn.amr],
        created_at: numericDate(signIn.createdAt),
        expires_at: sessionEnd(signIn.expiresAt, clock.now(), site),
        ends_at: numericDate(signIn.expiresAt),
      },
    });
  };
}

/** The protected profile: wants a token, not the session, and answers the user as they are now. */
function sendProfile({ users, verifier, site }: RouteServices): RequestHandler {
  return async (req, res) => {
    const { sub } = await verifier.verify(presentedToken(req, site)).catch(refuse);
    const user = await users.findActive(sub);
    if (user === undefined) throw invalidToken('The user of this token is gone or disabled.');
    sendJson(res, 200, { user: publicUser(user) });
  };
}

function refuse(error: unknown): never {
  throw error instanceof TokenError ? invalidToken(error.message) : error;
}

/** The one token of the request: from the header, or from the token cookie (RFC 6750, section 2). */
function presentedToken(req: Request, site: Site): string {
  if (req.url.includes('?') && req.query['access_token'] !== undefined) {
    throw badRequest('A token in the address ends up in logs and histories: send it in the Authorization header.');
  }
  const header = bearerToken(req.headers.authorization);
  if (header === 'malformed') throw badRequest('The Authorization header is not "Bearer <token>".');
  const cookie = site.tokenCookie && cookieValue(req.headers.cookie, site.tokenCookie);
  if (header === 'none') {
    if (cookie) return cookie;
    const headers = { 'WWW-Authenticate': 'Bearer' };
    throw new Problem('token_required', 'Send "Authorization: Bearer <token>" with a token from /auth/token.', { headers });
  }
  if (cookie && cookie !== header.token) throw badRequest('The header and the cookie hold two different tokens.');
  return header.token;
}

function cookieValue(cookies: string | undefined, name: string): string | undefined {
  const pair = cookies?.split(';').find((item) => item.trim().startsWith(`${name}=`));
  return pair?.slice(pair.indexOf('=') + 1).trim();
}

function badRequest(detail: string): Problem {
  const headers = { 'WWW-Authenticate': 'Bearer error="invalid_request"' };
  return new Problem('invalid_request', detail, { headers });
}

function invalidToken(detail: string): Problem {
  const headers = { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${detail.replaceAll('"', "'")}"` };
  return new Problem('invalid_token', detail, { headers });
}
