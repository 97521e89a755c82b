import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { Problem, wrongCredentials } from '../core/errors.ts';
import { localPath, seeOther, sendJson, wantsPage } from '../core/http.ts';
import { loginBuckets, refuseWhenBusy, rememberDevice, withAttempt } from './attempts.ts';
import { isForm, optionalText, parseBody, PASSWORD_LENGTH, text } from './body.ts';
import { aboutUser, byNobody, byUser } from './on-record.ts';
import type { Refusal, RouteServices } from './services.ts';
import { publicUser, requiredSignIn, requiredViewer, setTokenCookie } from './steps.ts';

const credentials = z.strictObject({
  username: z.preprocess(trimmed, text(320)),
  password: text(PASSWORD_LENGTH),
  returnTo: optionalText(2048),
});

/**
 * Lets two bounded strings from the body through to Passport, and nothing else: passport-local would take the
 * query string too, and numbers, and whatever else is there.
 */
export const onlyCredentials: RequestHandler = (req, _res, next) => {
  req.body = parseBody(credentials, req.body);
  next();
};

/** Phones like to put a blank behind a name. */
function trimmed(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

/**
 * Passport's strategy decides who this is; then the session gets a new id, and whatever the old one was is gone.
 */
export function signInWith(services: RouteServices, strategy: string): RequestHandler {
  return async (req, res, next) => {
    const identified = await identify(services, strategy, req, res);
    await startSession(services, req, identified);
    next();
  };
}

/** The same for a password, which may not be tried without end; and the device is known from then on. */
export function signInWithPassword(services: RouteServices): RequestHandler {
  return async (req, res, next) => {
    const { username } = parseBody(credentials, req.body);
    const buckets = await loginBuckets(services, req, username);
    req.knownDevice = buckets.some(({ kind }) => kind === 'device');
    await refuseWhenBusy(services, req, req.knownDevice ? 'known' : 'anyone');
    const device = req.knownDevice ? 'known' : 'new';
    const whose = async () => aboutUser((await services.users.findLogin(username))?.user.id);
    const always = [{ kind: 'login', subject: username }] as const;
    await withAttempt(services, req, { buckets, always, whose }, async () => {
      const identified = await identify(services, 'local', req, res);
      await startSession(services, req, identified, { device });
      const { user, passwordHash } = identified;
      if (passwordHash !== undefined) rememberDevice(services, res, user.id, passwordHash);
    });
    next();
  };
}

async function identify(
  services: RouteServices,
  strategy: string,
  req: Request,
  res: Response,
): Promise<Express.User> {
  const identified = await new Promise<Express.User | Refusal>((resolve, reject) => {
    const done = (error: Error | null, found?: Express.User | false | null, refusal?: Refusal) =>
      error ? reject(error) : resolve(found || (refusal ?? {}));
    services.passport.authenticate(strategy, done)(req, res, reject);
  });
  if ('user' in identified) return identified;
  return refuse(services, req, identified);
}

/** The record says that it failed, and the log why. @throws {Problem} `invalid_credentials` */
async function refuse(
  { audit }: RouteServices,
  req: Request,
  { userId, message }: Refusal,
): Promise<never> {
  req.passwordWasWrong = true; // before anything can fail
  await audit.recordAttempt({ ...byNobody(req, userId), event: 'login.failed', reason: message });
  throw wrongCredentials();
}

/**
 * Puts a sign-in into a session with a new id. One that could not be stored is forgotten: express-session would
 * try again at the end of the answer, and set its cookie on a refusal.
 *
 * @throws {Problem} `invalid_credentials` when the user was disabled or the password changed meanwhile
 */
export async function startSession(
  services: RouteServices,
  req: Request,
  identified: Express.User,
  details?: Readonly<Record<string, string>>,
): Promise<void> {
  const { id } = identified.user;
  const event = identified.amr === 'bypass' ? 'login.bypass' : 'login.succeeded';
  try {
    await services.audit.recordWith(
      { ...byUser(req, id), event, ...(details && { details }) },
      (note) =>
        new Promise<void>((resolve, reject) => {
          const done = (error?: Error) => (error ? reject(error) : resolve());
          req.logIn({ ...identified, note }, done);
        }),
    );
  } catch (error) {
    Reflect.deleteProperty(req, 'session');
    if (error instanceof Problem && error.code === 'invalid_credentials')
      await refuse(services, req, { userId: id, message: 'changed meanwhile' });
    throw error;
  }
}

/** A cookie marked Secure is not set over plain http: better to say so than to keep a session nobody can use. */
export function refuseInsecure({ site }: RouteServices): RequestHandler {
  return (req, _res, next) => {
    if (!site.secure || req.secure) return next();
    throw new Problem(
      'https_required',
      `Sign in at ${site.publicUrl}. If that is where you are, the reverse proxy does not say so: check TRUST_PROXY and X-Forwarded-Proto.`,
    );
  };
}

/** Answers a sign-in: with the first token for a script, with the next page for a browser. */
export function answerSignIn(services: RouteServices, status: 200 | 201): RequestHandler {
  const { issuer, site } = services;
  return async (req, res) => {
    const signIn = requiredSignIn(req);
    const user = await requiredViewer(req, services);
    const ticket = await issuer.issue(user, signIn);
    setTokenCookie(res, site, ticket.jwt, ticket.expiresIn);
    if (isForm(req) || wantsPage(req.headers.accept)) return seeOther(res, returnTo(req) ?? '/');
    return sendJson(res, status, {
      user: publicUser(user),
      token: ticket.jwt,
      token_type: 'Bearer',
      expires_in: ticket.expiresIn,
      expires_at: ticket.expiresAt,
    });
  };
}

/** Where the browser wants to go on: from the form, or from the query of a GET. */
export function returnTo(req: Request): string | undefined {
  const body: unknown = req.body;
  const given =
    typeof body === 'object' && body !== null && 'returnTo' in body
      ? body.returnTo
      : req.query['returnTo'];
  const path = localPath(given);
  return path?.startsWith('/auth/') ? undefined : path; // signing in must not sign out, or in as somebody else
}
