import { Router } from 'express';
import { changeEmail, changePassword, register } from './account.ts';
import { readBody } from './body.ts';
import { bypassEndpoint } from './bypass.ts';
import { endpoint } from './endpoint.ts';
import { exchangeEndpoints } from './exchange.ts';
import { formAgain } from './show-page.ts';
import { logout, logoutByNavigation } from './logout.ts';
import { ownSessionEndpoints } from './own-sessions.ts';
import type { RouteServices } from './services.ts';
import { answerSignIn, onlyCredentials, refuseInsecure, signInWithPassword } from './sign-in.ts';
import { noStore, refuseCrossSite } from './steps.ts';

/** Everything under `/auth`. The exchange comes first: it is asked for most. */
export function authRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  exchangeEndpoints(router, services);
  const { session, site } = services;
  const guarded = [noStore, refuseCrossSite(site), session, readBody];
  const secure = refuseInsecure(services);

  endpoint(router, '/auth/login', {
    post: [
      ...guarded,
      secure,
      onlyCredentials,
      signInWithPassword(services),
      answerSignIn(services, 200),
      formAgain(services, 'login'),
    ],
  });
  if (site.registration) {
    endpoint(router, '/auth/register', {
      post: [
        ...guarded,
        secure,
        services.passport.initialize({ compat: false }),
        register(services),
        answerSignIn(services, 201),
        formAgain(services, 'register'),
      ],
    });
    endpoint(router, '/auth/email', {
      post: [...guarded, changeEmail(services), formAgain(services, 'account', 'email')],
    });
  }
  endpoint(router, '/auth/password', {
    post: [...guarded, changePassword(services), formAgain(services, 'account', 'password')],
  });
  endpoint(router, '/auth/logout', {
    get: [noStore, session, logoutByNavigation(services)],
    post: [...guarded, logout(services)],
  });
  ownSessionEndpoints(router, services);
  if (services.bypass) bypassEndpoint(router, services, services.bypass);
  return router;
}
