import type { Request, RequestHandler, Router } from 'express';
import { numericDate } from '../core/clock.ts';
import { invalidToken, Problem } from '../core/errors.ts';
import { sendJson } from '../core/http.ts';
import { endpoint } from './endpoint.ts';
import { bySession } from './on-record.ts';
import type { SignIn } from '../sessions/session-store.ts';
import type { RouteServices } from './services.ts';
import {
  noStore,
  publicUser,
  readSession,
  refuseCrossSite,
  requiredSignIn,
  requiredViewer,
  sessionRequired,
  setTokenCookie,
  viewerOf,
} from './steps.ts';

/** What this service exists for: a session in, a token out; and the two ways to ask whose they are. */
export function exchangeEndpoints(router: Router, services: RouteServices): void {
  const { requireToken, site } = services;
  const session = readSession(services);
  endpoint(router, '/auth/token', {
    get: [noStore, refuseCrossSite(site), session, sendToken(services)],
  });
  endpoint(router, '/auth/session', { get: [noStore, session, sendSession(services)] });
  endpoint(router, '/auth/me', { get: [noStore, requireToken, sendProfile(services)] });
}

/** The user is read afresh: new roles show at once, and who was disabled since sign-in gets nothing. */
function sendToken(services: RouteServices): RequestHandler {
  const { issuer, sessions, site } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = (await viewerOf(req, services)) ?? (await refuse(services, req, signIn));
    const ticket = await issuer.issue(user, signIn, audienceOf(req));
    setTokenCookie(res, site, ticket.jwt, ticket.expiresIn);
    sendJson(res, 200, {
      token: ticket.jwt,
      token_type: 'Bearer',
      expires_in: ticket.expiresIn,
      expires_at: ticket.expiresAt,
      session_expires_at: numericDate(sessions.endIfUnused(signIn)),
    });
  };
}

/**
 * Whoever was disabled or deleted since sign-in, and has a session still; or has one of the bypass, in production. On
 * record once for each session, since apps ask again and again. @throws {Problem} `session_required`
 */
async function refuse({ audit }: RouteServices, req: Request, signIn: SignIn): Promise<never> {
  await audit.recordOnce(`exchange ${signIn.publicId}`, () => ({
    ...bySession(req, signIn),
    event: 'exchange.refused',
  }));
  throw sessionRequired();
}

function audienceOf(req: Request): string | undefined {
  if (!req.url.includes('?')) return undefined;
  const { audience } = req.query;
  if (audience === undefined || typeof audience === 'string') return audience;
  throw new Problem('invalid_request', 'audience is given more than once.', { field: 'audience' });
}

function sendSession(services: RouteServices): RequestHandler {
  const { sessions } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    sendJson(res, 200, {
      user: publicUser(user),
      session: {
        id: signIn.publicId,
        amr: [signIn.amr],
        created_at: numericDate(signIn.createdAt),
        expires_at: numericDate(sessions.endIfUnused(signIn)),
        ends_at: numericDate(signIn.expiresAt),
      },
    });
  };
}

/** The protected profile: wants a token, not the session, and answers the user as they are now. */
function sendProfile({ users }: RouteServices): RequestHandler {
  return async (req, res) => {
    const user = req.token && (await users.findActive(req.token.sub));
    if (!user) throw invalidToken('The user of this token is gone or disabled.');
    sendJson(res, 200, { user: publicUser(user) });
  };
}
