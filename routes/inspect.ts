import {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';
import { z } from 'zod';
import { isoTime, utcTime } from '../core/clock.ts';
import { fromNow } from '../core/durations.ts';
import { Problem } from '../core/errors.ts';
import { sendHtml, wantsPage } from '../core/http.ts';
import type { Inspection } from '../tokens/inspector.ts';
import { callerBuckets, countAttempt } from './attempts.ts';
import { optionalText, parseBody, readBody } from './body.ts';
import { endpoint } from './endpoint.ts';
import { asProblem } from './errors.ts';
import { pageData } from './page-data.ts';
import type { RouteServices } from './services.ts';
import {
  addToPolicy,
  noStore,
  readSession,
  refuseCrossSite,
  requiredSignIn,
  viewerOf,
} from './steps.ts';

/**
 * The token inspector. What is pasted arrives in the body of a form, and is told nobody else: it is in no address, no
 * log and no record. A query is not looked at.
 */
export function inspectRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const session = readSession(services);
  const closed = [noStore, secludedPage];
  const empty = [...closed, session, emptyPage(services)];
  endpoint(router, '/inspect', {
    get: empty,
    head: empty,
    post: [
      ...closed,
      refuseCrossSite(services.site),
      session,
      readBody,
      inspect(services),
      pageAgain(services),
    ],
  });
  return router;
}

/**
 * No other page learns that this one was open, and its script, which only moves the times on, may load nothing and send
 * nothing: `connect-src` stays what `default-src` is, none.
 */
const secludedPage: RequestHandler = (_req, res, next) => {
  res.setHeader('Referrer-Policy', 'no-referrer');
  addToPolicy(res, "script-src 'self'");
  next();
};

function emptyPage(services: RouteServices): RequestHandler {
  return (req, res) => showInspector(services, req, res, {});
}

/** Characters: as many as this service takes in a token. A body that is longer by itself was refused before. */
const LONGEST = 16_384;

const form = z.strictObject({
  token: optionalText(LONGEST),
  audience: optionalText(1024),
  from: z.enum(['session'], { error: 'must be "session"' }).optional(),
});

function inspect(services: RouteServices): RequestHandler {
  return async (req, res) => {
    const { token, audience, from } = parseBody(form, req.body);
    await countAttempt(services, req, { buckets: callerBuckets(req, 'inspection') });
    const pasted = from === 'session' ? await ownToken(services, req) : (token ?? '');
    const inspection = await services.inspector.inspect(pasted, audience);
    return showInspector(services, req, res, { inspection, audience });
  };
}

/** A token as the exchange would give it out now. @throws {Problem} `session_required` */
async function ownToken(services: RouteServices, req: Request): Promise<string> {
  const viewer = await viewerOf(req, services);
  if (viewer === undefined) {
    throw new Problem(
      'session_required',
      'Nobody is signed in here, so there is no token of yours. Sign in, or paste one.',
    );
  }
  return (await services.issuer.issue(viewer, requiredSignIn(req))).jwt;
}

/** Gives a browser its form back with what is wrong, without what was pasted: it may have been a secret. */
function pageAgain(services: RouteServices): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const problem = asProblem(error);
    if (!IN_PAGE.has(problem.code) || !wantsPage(req.headers.accept)) return next(error);
    for (const [name, value] of Object.entries(problem.headers)) res.setHeader(name, value);
    return showInspector(services, req, res, { problem });
  };
}

const IN_PAGE = new Set([
  'invalid_request',
  'payload_too_large',
  'session_required',
  'too_many_attempts',
]);

/** What the page says, for problems that other forms do not have or say less of. */
function forPage({ code, title, detail, field }: Problem) {
  if (code === 'payload_too_large') {
    return {
      title: 'Too long for a token',
      detail: `No token of this service is longer than ${LONGEST} characters, and it accepts none that is. What was pasted was not read.`,
      field: 'token',
    };
  }
  const isToken = code === 'invalid_request' && field === 'token';
  return { title: isToken ? 'That is not a token' : title, detail, field: field ?? null };
}

interface Content {
  readonly inspection?: Inspection;
  readonly audience?: string | undefined;
  readonly problem?: Problem;
}

async function showInspector(
  services: RouteServices,
  req: Request,
  res: Response,
  { inspection, audience, problem }: Content,
): Promise<void> {
  const viewer = await viewerOf(req, services);
  const data = {
    problem: problem ? forPage(problem) : null,
    audience: audience ?? '',
    result: inspection ? forView(inspection) : null,
  };
  const html = services.views.render('inspect', pageData(services, viewer, data));
  sendHtml(res, problem?.status ?? 200, html);
}

function forView({ now, reasons, header, claims, expiresAt, ...rest }: Inspection) {
  const time = (at: number | undefined) =>
    at === undefined
      ? null
      : { at, iso: isoTime(at), utc: utcTime(at), fromNow: fromNow((at - now) / 1000) };
  const timed = <T extends { time: number | undefined }>(rows: readonly T[]) =>
    rows.map((row) => ({ ...row, time: time(row.time) }));
  return {
    ...rest,
    now,
    expires: time(expiresAt),
    reasons: reasons.map(({ says, at }) => ({ says, time: time(at) })),
    header: timed(header),
    claims: timed(claims),
  };
}
