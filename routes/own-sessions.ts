import type { Request, RequestHandler, Response, Router } from 'express';
import { z } from 'zod';
import { numericDate } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { seeOther, sendJson } from '../core/http.ts';
import type { SessionSummary } from '../sessions/session-store.ts';
import { isForm, optionalText, parseBody, readBody } from './body.ts';
import { deviceInWords } from './device.ts';
import { endpoint } from './endpoint.ts';
import { bySession, byUser } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { formAgain } from './show-page.ts';
import {
  clearCookies,
  noStore,
  readSession,
  refuseCrossSite,
  requiredSignIn,
  requireViewer,
} from './steps.ts';

/** Where somebody is signed in, and how they end it: for scripts, and as a form for the account page. */
export function ownSessionEndpoints(router: Router, services: RouteServices): void {
  const guarded = [
    noStore,
    refuseCrossSite(services.site),
    readSession(services),
    requireViewer(services),
  ];
  endpoint(router, '/auth/sessions', {
    get: [...guarded, sendSessions(services)],
    delete: [...guarded, endSessions(services)],
  });
  endpoint(router, '/auth/sessions/end', {
    post: [...guarded, readBody, endFromForm(services), formAgain(services, 'account')],
  });
  endpoint(router, '/auth/sessions/:id', { delete: [...guarded, endSession(services)] });
}

function sendSessions({ sessions }: RouteServices): RequestHandler {
  return async (req, res) => {
    const { publicId, userId } = requiredSignIn(req);
    const own = await sessions.list(userId);
    sendJson(res, 200, { sessions: own.map((session) => publicSession(session, publicId)) });
  };
}

/** As in `GET /auth/session`, with what tells the sessions of one person apart. */
function publicSession(session: SessionSummary, current: string) {
  return {
    id: session.publicId,
    current: session.publicId === current,
    amr: [session.amr],
    device: deviceInWords(session.userAgent),
    user_agent: session.userAgent,
    address: session.address,
    created_at: numericDate(session.createdAt),
    last_seen_at: numericDate(session.lastSeenAt),
    expires_at: numericDate(session.idleExpiresAt),
    ends_at: numericDate(session.expiresAt),
  };
}

function endSession(services: RouteServices): RequestHandler {
  return async (req, res) => {
    const ended = await endOne(services, req, res, req.params['id']);
    if (ended === 'nothing') throw noSuchSession();
    res.writeHead(204).end();
  };
}

const SCOPES = ['others', 'all'] as const;
type Scope = (typeof SCOPES)[number];

const scope = z.enum(SCOPES, { error: 'must be "others" or "all", given once' });
const whichSessions = z.strictObject({ scope });

function endSessions(services: RouteServices): RequestHandler {
  return async (req, res) => {
    await endScope(services, req, res, parseBody(whichSessions, req.query).scope);
    res.writeHead(204).end();
  };
}

const ending = z.strictObject({ id: optionalText(64), scope: scope.optional() });

/** What `DELETE` does, for a form, which can only POST: ends the session of that `id`, or those of a `scope`. */
function endFromForm(services: RouteServices): RequestHandler {
  return async (req, res) => {
    const which = parseBody(ending, req.body);
    if ((which.id === undefined) === (which.scope === undefined)) {
      throw new Problem('invalid_request', 'Send either "id" or "scope".');
    }
    const ended =
      which.scope === undefined
        ? await endOne(services, req, res, which.id)
        : await endScope(services, req, res, which.scope);
    if (isForm(req)) return seeOther(res, pageAfter(ended));
    if (ended === 'nothing') throw noSuchSession();
    res.writeHead(204).end();
  };
}

/** What was ended: this session, maybe with others; another; all others; or nothing, since there is no such session. */
type Ended = 'here' | 'session' | 'sessions' | 'nothing';

/** A second click on a button finds the session ended, which is what was wanted: the page says so. */
function pageAfter(ended: Ended): string {
  return ended === 'here' ? '/login' : `/account?changed=${ended}`;
}

async function endOne(
  { sessions, audit, site }: RouteServices,
  req: Request,
  res: Response,
  id: unknown,
): Promise<Ended> {
  const { publicId, userId } = requiredSignIn(req);
  if (!isPublicId(id)) return 'nothing';
  const details = { scope: 'one' };
  const isEnded = await audit.recordWith(
    { ...byUser(req, userId), event: 'session.revoked', session: id, details },
    (write) => sessions.revokeOfUser(userId, id, (db) => write(db)),
  );
  if (!isEnded) return 'nothing';
  if (id !== publicId) return 'session';
  clearCookies(res, site);
  return 'here';
}

async function endScope(
  { sessions, audit, site }: RouteServices,
  req: Request,
  res: Response,
  which: Scope,
): Promise<Ended> {
  const signIn = requiredSignIn(req);
  const except = which === 'others' ? signIn.publicId : undefined;
  await audit.recordWith({ ...bySession(req, signIn), event: 'session.revoked' }, (write) =>
    sessions.revokeByUser(signIn.userId, except, undefined, (db, ended) =>
      write(db, { details: { scope: which, sessions: ended.length } }),
    ),
  );
  if (which === 'others') return 'sessions';
  clearCookies(res, site);
  return 'here';
}

/** What no session can be called is not taken to the store, where it could be no text at all. */
function isPublicId(id: unknown): id is string {
  return typeof id === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}

/** One answer for ids that are unknown, malformed, or of a session of somebody else. */
function noSuchSession(): Problem {
  return new Problem('not_found', 'You have no session of that id.');
}
