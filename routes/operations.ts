import { type RequestHandler, Router } from 'express';
import { sendJson } from '../core/http.ts';
import { endpoint } from './endpoint.ts';
import type { RouteServices } from './services.ts';
import { noStore } from './steps.ts';

/** For whoever runs the service: is the process alive, and should it get requests. */
export function operationsRoutes({ readiness }: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const healthy: RequestHandler = (_req, res) => sendJson(res, 200, { status: 'ok' });
  const ready: RequestHandler = async (_req, res) => {
    const failures = readiness.draining ? ['draining'] : await readiness.failures();
    sendJson(res, failures.length === 0 ? 200 : 503, {
      status: failures.length === 0 ? 'ready' : 'not ready',
      ...(failures.length === 0 ? {} : { failures }),
    });
  };
  endpoint(router, '/healthz', { get: [noStore, healthy], head: [noStore, healthy] });
  endpoint(router, '/readyz', { get: [noStore, ready], head: [noStore, ready] });
  return router;
}
