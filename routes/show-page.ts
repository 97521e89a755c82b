import type { ErrorRequestHandler, Request, Response } from 'express';
import { durationInWords } from '../core/durations.ts';
import { isoTime } from '../core/clock.ts';
import type { Problem } from '../core/errors.ts';
import { sendHtml, wantsPage } from '../core/http.ts';
import type { SessionSummary } from '../sessions/session-store.ts';
import type { User } from '../users/user-store.ts';
import { deviceInWords } from './device.ts';
import { asProblem } from './errors.ts';
import { pageData } from './page-data.ts';
import type { RouteServices } from './services.ts';
import { returnTo } from './sign-in.ts';
import { requiredSignIn, sessionRequired, viewerOf } from './steps.ts';

/** What a page needs beyond what all pages need. */
type PageContent = (
  services: RouteServices,
  req: Request,
  viewer: User | undefined,
) => object | Promise<object>;

const PAGES = {
  home: async (services, req, viewer) => {
    const session = viewer && endOfSession(services, req);
    return services.site.production
      ? { session }
      : { session, ...(await forDevelopers(services, req, viewer)) };
  },
  login: (_services, req) => ({ username: typed(req, 'username') }),
  register: (_services, req) => ({
    username: typed(req, 'username'),
    email: typed(req, 'email'),
    name: typed(req, 'name'),
  }),
  account: async (services, req, user) => {
    if (user === undefined) throw sessionRequired();
    const { publicId } = requiredSignIn(req);
    const own = await services.sessions.list(user.id);
    return {
      user,
      email: typed(req, 'email') ?? user.email,
      since: isoTime(user.createdAt).slice(0, 10),
      notice: noticeOf(req.query['changed']),
      session: endOfSession(services, req),
      sessions: own.map((session) => sessionForPage(session, publicId)),
    };
  },
  bypass: async ({ users }) => ({ users: await users.list() }),
  logout: () => ({}),
} satisfies Record<string, PageContent>;

/** When the session ends that somebody is signed in with. */
function endOfSession({ sessions }: RouteServices, req: Request) {
  const signIn = requiredSignIn(req);
  return {
    endsAt: isoTime(sessions.endIfUnused(signIn)),
    endsAtTheLatest: isoTime(signIn.expiresAt),
  };
}

/** A ticket to look at, and what the lines to copy have in them. */
async function forDevelopers(
  { issuer, keyRing, site }: RouteServices,
  req: Request,
  viewer: User | undefined,
) {
  const ticket = viewer && (await issuer.issue(viewer, requiredSignIn(req)));
  return {
    publicUrl: site.publicUrl,
    issuer: site.issuer,
    publishesKeys: keyRing.publicKeys().length > 0,
    example: viewer && /^[\w.-]+$/.test(viewer.username) ? viewer.username : 'ada', // goes into a line for a shell
    ticket: ticket && {
      token: ticket.jwt,
      header: prettyPart(ticket.jwt, 0),
      claims: prettyPart(ticket.jwt, 1),
      expiresAt: isoTime(ticket.expiresAt * 1000),
      expiresIn: durationInWords(ticket.expiresIn),
    },
  };
}

/** What the account page says after a form has done its work. */
const NOTICES: ReadonlyMap<string, string> = new Map([
  ['email', 'Your e-mail address has been changed.'],
  ['password', 'Your password has been changed, and your other sessions have ended.'],
  ['session', 'That session has ended.'],
  ['sessions', 'You have been signed out everywhere else.'],
  ['nothing', 'That session had ended already.'],
]);

function noticeOf(changed: unknown): string | null {
  return (typeof changed === 'string' && NOTICES.get(changed)) || null;
}

function sessionForPage(session: SessionSummary, current: string) {
  return {
    id: session.publicId,
    current: session.publicId === current,
    device: deviceInWords(session.userAgent),
    address: session.address,
    how: session.amr === 'bypass' ? 'bypass' : 'password',
    signedInAt: isoTime(session.createdAt),
    lastSeenAt: isoTime(session.lastSeenAt),
  };
}

/**
 * Renders a page for whoever is signed in; with a problem, which then is the status too, and with what was
 * typed still in its fields, passwords excepted.
 */
export async function showPage(
  services: RouteServices,
  req: Request,
  res: Response,
  page: keyof typeof PAGES,
  problem?: FormProblem,
): Promise<void> {
  const viewer = await viewerOf(req, services);
  const content: PageContent = PAGES[page];
  const data = {
    returnTo: returnTo(req) ?? null,
    problem: problem ? forForm(problem) : null,
    ...(await content(services, req, viewer)),
  };
  sendHtml(
    res,
    problem?.problem.status ?? 200,
    services.views.render(page, pageData(services, viewer, data)),
  );
}

/** What is wrong with what was sent, and from which form of several on a page. */
interface FormProblem {
  readonly problem: Problem;
  readonly form?: string | undefined;
}

/** `field`: the id of the one to blame; null for none of them; left out for all together. */
function forForm({ problem: { code, title, detail, field }, form }: FormProblem) {
  if (code === 'invalid_credentials') return { title, detail };
  if (field === undefined) return { title, detail, field: null };
  const mild = code === 'invalid_request' ? 'Please check the form' : title;
  return { title: mild, detail, field: form === undefined ? field : `${form}-${field}` };
}

/** The last step of a form's route: a browser gets its form back with the problem, everyone else the error. */
export function formAgain(
  services: RouteServices,
  page: 'login' | 'register' | 'account' | 'bypass',
  form?: string,
): ErrorRequestHandler {
  return async (error: unknown, req, res, next) => {
    const problem = asProblem(error);
    const mendable = problem.status < 500 || problem.code === 'overloaded';
    if (!mendable || FOR_A_PAGE_OF_ITS_OWN.has(problem.code) || !wantsPage(req.headers.accept)) {
      return next(error);
    }
    for (const [name, value] of Object.entries(problem.headers)) res.setHeader(name, value);
    return showPage(services, req, res, page, { problem, form });
  };
}

/** Problems that no other input into the form would mend; the steps before the session was read throw some. */
const FOR_A_PAGE_OF_ITS_OWN = new Set([
  'cross_site_request',
  'https_required',
  'method_not_allowed',
  'not_found',
  'payload_too_large',
  'session_required',
  'unsupported_media_type',
]);

function typed(req: Request, field: string): string | undefined {
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Object.entries(body).find(([name]) => name === field)?.[1];
  return typeof value === 'string' ? value : undefined;
}

function prettyPart(jwt: string, index: number): string {
  const part = Buffer.from(jwt.split('.')[index] ?? '', 'base64url').toString('utf8');
  return JSON.stringify(JSON.parse(part), null, 2);
}
