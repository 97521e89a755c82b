import { type Request, type RequestHandler, Router } from 'express';
import { MINUTE } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { callerOf, sendJson } from '../core/http.ts';
import type { Bucket } from '../users/attempts.ts';
import { callerBuckets, countAttempt } from './attempts.ts';
import { isForm, readBody } from './body.ts';
import { endpoint } from './endpoint.ts';
import { answerOAuthErrors } from './errors.ts';
import { byNobody } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { noStore } from './steps.ts';

/** For APIs that ask about each token instead of verifying it, and for those that want one to be gone. */
export function oauthRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const guarded = [noStore, requireClient(services), formOnly, readBody];
  const errors = answerOAuthErrors(services);
  endpoint(router, '/oauth/introspect', { post: [...guarded, introspect(services), errors] });
  endpoint(router, '/oauth/revoke', { post: [...guarded, revoke(services), errors] });
  return router;
}

/** RFC 7662, section 2.2: of a token that is not good, nothing is said but that. */
function introspect({ presentedTokens, users }: RouteServices): RequestHandler {
  return async (req, res) => {
    const token = await presentedTokens.read(tokenOf(req));
    const user = token && (await users.findActive(token.sub));
    if (!user) return sendJson(res, 200, { active: false });
    return sendJson(res, 200, { ...token, active: true, token_type: 'Bearer' });
  };
}

/** RFC 7009, section 2.2: a token that is unknown, or good no more, is as good as revoked. */
function revoke({ presentedTokens, audit }: RouteServices): RequestHandler {
  return async (req, res) => {
    const revoked = await presentedTokens.revoke(tokenOf(req));
    if (revoked !== undefined) {
      await audit.record({
        ...callerOf(req),
        event: 'token.revoked',
        actor: { kind: 'client', ...(req.apiClient && { id: req.apiClient.id }) },
        subject: { kind: 'user', id: revoked.sub },
        session: revoked.sid,
      });
    }
    res.writeHead(200, { 'Content-Length': 0 }).end();
  };
}

/** The one parameter that counts. Others are ignored (RFC 7009, section 2.1), unless they come twice. */
function tokenOf(req: Request): string {
  const body: unknown = req.body;
  const parameters = new Map<string, unknown>(Object.entries(body ?? {}));
  if ([...parameters.values()].some((value) => typeof value !== 'string')) {
    throw new Problem('invalid_request', 'A parameter is given more than once.');
  }
  const token = parameters.get('token');
  if (typeof token === 'string' && token !== '') return token;
  throw new Problem('invalid_request', 'The parameter "token" is missing.');
}

const formOnly: RequestHandler = (req, _res, next) => {
  if (isForm(req)) return next();
  throw new Problem('unsupported_media_type', 'Send application/x-www-form-urlencoded.');
};

/**
 * Lets registered API clients through (RFC 6749, section 2.3.1). Wrong secrets are counted when they have been looked at:
 * they are too long to be guessed, cost nothing to check, and nobody's guesses shall lock an API out.
 */
function requireClient(services: RouteServices): RequestHandler {
  return async (req, _res, next) => {
    const credentials = basicCredentials(req.headers.authorization);
    const client = credentials && (await services.apiClients.authenticate(...credentials));
    if (!client) {
      if (credentials) await noteGuess(services, req, credentials[0]);
      throw new Problem('invalid_client', 'Send the id and the secret of a client by HTTP Basic.', {
        headers: { 'WWW-Authenticate': 'Basic realm="coatcheck"' },
      });
    }
    req.apiClient = client;
    next();
  };
}

/**
 * The wrong secrets of a client are limited, wherever they come from. Ids that no client has are not, and cost nothing to
 * try: of them all one a minute comes on record, without the id, which may be a secret in the wrong place.
 */
async function noteGuess(services: RouteServices, req: Request, id: string): Promise<void> {
  const { audit, apiClients } = services;
  const subject = (await apiClients.find(id)) && ({ kind: 'client', id } as const);
  const buckets: Bucket[] = [
    ...callerBuckets(req, 'client address'),
    { kind: 'client', subject: id },
  ];
  await countAttempt(services, req, { buckets, whose: () => subject });
  const event = { ...byNobody(req), event: 'client.refused', subject } as const;
  if (subject !== undefined) await audit.recordAttempt(event);
  else await audit.recordOnce('unknown client', () => event, MINUTE);
}

/** Id and secret, each form-encoded before they were put together (RFC 7617, and RFC 6749, section 2.3.1). */
function basicCredentials(authorization: string | undefined): [string, string] | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization ?? '')?.[1];
  const pair = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8'));
  const [id, secret] = [formDecoded(pair?.[1]), formDecoded(pair?.[2])];
  return id === undefined || secret === undefined ? undefined : [id, secret];
}

function formDecoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
