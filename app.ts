import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import cors from 'cors';
import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import { originForm } from './core/http.ts';
import { authRoutes } from './routes/auth.ts';
import { answerErrors, nothingHere } from './routes/errors.ts';
import { inspectRoutes } from './routes/inspect.ts';
import { logRequests } from './routes/observe.ts';
import { metadataRoutes } from './routes/metadata.ts';
import { oauthRoutes } from './routes/oauth.ts';
import { operationsRoutes } from './routes/operations.ts';
import { pageRoutes } from './routes/pages.ts';
import type { RouteServices, Site } from './routes/services.ts';
import { statusListRoutes } from './routes/status-lists.ts';

/** The whole service as an Express app: what each request passes, in order. Listens to nothing by itself. */
export function createApp(services: RouteServices): RequestListener {
  const { site, bypass } = services;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');
  app.set('trust proxy', [...site.trustProxy]);

  const headers = securityHeaders(site);
  app.use((_req, res, next) => {
    res.setHeaders(headers);
    next();
  });
  app.use(logRequests(services));
  if (bypass) app.use(bypass.watch);
  if (site.corsOrigins.length > 0) app.use('/auth', allowOrigins(site));
  app.use(authRoutes(services));
  app.use(pageRoutes(services));
  if (site.inspector) app.use(inspectRoutes(services));
  app.use(metadataRoutes(services));
  app.use(statusListRoutes(services));
  app.use(oauthRoutes(services));
  app.use(operationsRoutes(services));
  app.use(nothingHere);
  app.use(answerErrors(services));
  return (req, res) => {
    req.url = originForm(req.url ?? '');
    app(req, res);
  };
}

/** helmet's headers never depend on the request: it is asked once, and what it says is set on every answer. */
export function securityHeaders(site: Site): Map<string, string> {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' }, // with no-referrer, our own forms would send Origin: null
    strictTransportSecurity: site.secure,
    xFrameOptions: { action: 'deny' },
    // for browsers that nobody has any more, and plug-ins that none runs
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })(response.req, response, () => undefined);
  return new Map(
    Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]),
  );
}

/** Lets the single-page apps of those origins read answers, with the person's cookies. */
function allowOrigins({ corsOrigins }: Site): RequestHandler {
  return cors({
    origin: [...corsOrigins],
    credentials: true,
    methods: ['GET', 'POST', 'DELETE'],
    exposedHeaders: ['WWW-Authenticate', 'Retry-After'],
    maxAge: 600,
  });
}
