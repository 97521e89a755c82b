import { promisify } from 'node:util';
import type { Request, RequestHandler, Response } from 'express';
import { seeOther, wantsPage } from '../core/http.ts';
import { isForm } from './body.ts';
import type { RouteServices } from './services.ts';
import { showPage } from './show-page.ts';
import { returnTo } from './sign-in.ts';
import { isOwnNavigation, signInOf, cookieAttributes } from './steps.ts';

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
    if (isOwnNavigation(req) || isScript(req)) return end(req, res, next);
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
async function endSession(req: Request, res: Response, { site }: RouteServices): Promise<void> {
  if (signInOf(req)) {
    await promisify(req.session.destroy.bind(req.session))();
  }
  const attributes = cookieAttributes(site);
  res.clearCookie(site.sessionCookie, attributes);
  if (site.tokenCookie !== undefined) res.clearCookie(site.tokenCookie, attributes);
}
