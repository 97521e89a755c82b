import type { Request, RequestHandler, Response } from 'express';
import { seeOther, wantsPage } from '../core/http.ts';
import { isForm } from './body.ts';
import { bySession } from './on-record.ts';
import type { RouteServices } from './services.ts';
import { showPage } from './show-page.ts';
import { returnTo } from './sign-in.ts';
import { clearCookies, isOwnNavigation, signInOf } from './steps.ts';

/** Ends the session, if there is one: being signed out already is no error. */
export function logout(services: RouteServices): RequestHandler {
  return async (req, res) => {
    await endSession(req, res, services);
    if (isForm(req) || wantsPage(req.headers.accept))
      return seeOther(res, returnTo(req) ?? '/login');
    res.writeHead(204).end();
  };
}

/**
 * Logging out by following a link. When the browser says that another site sent the person here, or does not
 * say, a page asks first: an image or a link elsewhere must not sign anybody out. A script that is no browser
 * is taken at its word.
 */
export function logoutByNavigation(services: RouteServices): RequestHandler {
  const end = logout(services);
  return async (req, res, next) => {
    const cookieFromAnywhere = services.site.cookieScope.sameSite === 'none'; // an image elsewhere, in an old browser
    if (isOwnNavigation(req) || (isScript(req) && !cookieFromAnywhere)) return end(req, res, next);
    return showPage(services, req, res, 'logout');
  };
}

function isScript({ headers }: Request): boolean {
  return (
    headers['sec-fetch-site'] === undefined &&
    !wantsPage(headers.accept) &&
    headers.origin === undefined
  );
}

/** Forgets the session and everything that was set with it; nothing anonymous takes its place. */
async function endSession(
  req: Request,
  res: Response,
  { site, audit, sessions }: RouteServices,
): Promise<void> {
  const signIn = signInOf(req);
  if (signIn !== undefined) {
    const { userId, publicId } = signIn;
    await audit.recordWith({ ...bySession(req, signIn), event: 'logout' }, (write) =>
      sessions.revokeOfUser(userId, publicId, (db) => write(db)),
    );
    Reflect.deleteProperty(req, 'session'); // express-session has nothing to store any more
  }
  clearCookies(res, site);
}
