import { promisify } from 'node:util';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { Problem } from '../core/errors.ts';
import { localPath, seeOther, sendJson, wantsPage } from '../core/http.ts';
import { isForm, optionalText, parseBody, PASSWORD_LENGTH, text } from './body.ts';
import type { RouteServices } from './services.ts';
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
  const { passport } = services;
  return async (req, res, next) => {
    const identified = await new Promise<Express.User | false | null | undefined>(
      (resolve, reject) => {
        const done = (error: Error | null, found?: Express.User | false | null) =>
          error ? reject(error) : resolve(found);
        passport.authenticate(strategy, done)(req, res, reject);
      },
    );
    if (!identified) throw wrongCredentials();
    await startSession(services, req, identified);
    next();
  };
}

/**
 * Puts a sign-in into a session with a new id. One that could not be stored is forgotten: express-session would
 * try again at the end of the answer, and set its cookie on a refusal.
 *
 * @throws {Problem} `invalid_credentials` when the user was disabled or the password changed meanwhile: that has
 *   ended the sessions that it found, and would have missed this one
 */
export async function startSession(
  { users }: RouteServices,
  req: Request,
  identified: Express.User,
): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      req.logIn(identified, (error?: Error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    Reflect.deleteProperty(req, 'session');
    throw error;
  }
  const active = await users.findActive(identified.user.id);
  if (active === undefined || (await identified.stillHolds?.()) === false) {
    await promisify(req.session.destroy.bind(req.session))();
    throw wrongCredentials();
  }
}

/** One sentence for unknown, wrong and disabled. */
function wrongCredentials(): Problem {
  return new Problem(
    'invalid_credentials',
    'There is no user with that name and password who may sign in.',
  );
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
    const ticket = issuer.issue(user, signIn);
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
