import { type RequestHandler, Router } from 'express';
import { seeOther } from '../core/http.ts';
import { endpoint } from './endpoint.ts';
import type { PageRenderer, RouteServices } from './services.ts';
import { showPage } from './show-page.ts';
import { addToPolicy, noStore, readSession, viewerOf } from './steps.ts';

/** The pages: made on the server, working without JavaScript. */
export function pageRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { site, views } = services;
  const session = readSession(services);
  const page = (path: string, show: RequestHandler) => {
    const steps = [noStore, session, show];
    endpoint(router, path, { get: steps, head: steps });
  };

  page('/', (req, res) => {
    if (!site.production) addToPolicy(res, "script-src 'self'"); // the buttons that copy
    return showPage(services, req, res, 'home');
  });
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
function sendAsset(asset: PageRenderer['assets'][number]): RequestHandler {
  const { type, content, compressed } = asset;
  return (req, res) => {
    const gzip = compressed !== undefined && req.acceptsEncodings('gzip') === 'gzip';
    const body = gzip ? compressed : content;
    if (type === 'image/svg+xml') {
      // opened by itself, a picture is a document of this origin: it must be nothing but a picture
      addToPolicy(res, 'sandbox');
    }
    res.writeHead(200, {
      'Content-Type': type,
      'Content-Length': body.length,
      'Cache-Control': 'public, max-age=31536000, immutable',
      ...(compressed && { Vary: 'Accept-Encoding' }),
      ...(gzip && { 'Content-Encoding': 'gzip' }),
    });
    res.end(body);
  };
}
