import type { RequestHandler, Router } from 'express';
import { z } from 'zod';
import { wantsPage } from '../core/http.ts';
import { parseBody, text } from './body.ts';
import { endpoint } from './endpoint.ts';
import { nothingHere } from './errors.ts';
import { formAgain, showPage } from './show-page.ts';
import type { BypassLike, RouteServices } from './services.ts';
import { answerSignIn, refuseInsecure, signInWith } from './sign-in.ts';
import { noStore } from './steps.ts';

/** Development only: `?token=<username>` signs that user in; without it, a page to choose one. */
export function bypassEndpoint(router: Router, services: RouteServices, bypass: BypassLike): void {
  // to whoever may not use it, the bypass does not exist
  const allowed: RequestHandler = (req, res, next) =>
    bypass.allows(req) ? next() : nothingHere(req, res, next);
  endpoint(router, '/auth/bypass', {
    get: [
      noStore,
      allowed,
      refuseInsecure(services),
      services.session,
      choose(services),
      signInWith(services, 'bypass'),
      answerSignIn(services, 200),
      formAgain(services, 'bypass'),
    ],
  });
}

const query = z.object({ token: text(254) });

/** Shows the page where no user has been chosen yet; lets one bounded string through to Passport. */
function choose(services: RouteServices): RequestHandler {
  return async (req, res, next) => {
    if (!req.query['token'] && wantsPage(req.headers.accept)) {
      return showPage(services, req, res, 'bypass');
    }
    parseBody(query, req.query);
    return next();
  };
}
