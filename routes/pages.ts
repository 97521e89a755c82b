import { type RequestHandler, Router } from 'express';
import { seeOther } from '../core/http.ts';
import { endpoint } from './endpoint.ts';
import type { RouteServices } from './services.ts';
import { showPage } from './show-page.ts';
import { noStore, readSession, viewerOf } from './steps.ts';

/** The pages: made on the server, working without JavaScript. */
export function pageRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { site, views } = services;
  const session = readSession(services);
  const page = (path: string, show: RequestHandler) => {
    const steps = [noStore, session, show];
    endpoint(router, path, { get: steps, head: steps });
  };

  page('/', (req, res) => showPage(services, req, res, 'home'));
  page('/login', (req, res) => showPage(services, req, res, 'login'));
  if (site.registration) page('/register', (req, res) => showPage(services, req, res, 'register'));
  page('/account', async (req, res) => {
    if (await viewerOf(req, services)) return showPage(services, req, res, 'account');
    return seeOther(res, '/login?returnTo=/account');
  });

  for (const asset of views.assets) {
    const send = sendAsset(asset);
    endpoint(router, asset.path, { get: [send], head: [send] });
  }
  return router;
}

/** May be kept for ever: pages refer to it by an address that changes with its content. */
function sendAsset({ type, content }: { type: string; content: Buffer }): RequestHandler {
  const headers = {
    'Content-Type': type,
    'Content-Length': content.length,
    'Cache-Control': 'public, max-age=31536000, immutable',
  };
  return (_req, res) => {
    res.writeHead(200, headers).end(content);
  };
}
