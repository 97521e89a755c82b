import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { monotonic } from '../core/clock.ts';
import type { RouteServices } from './services.ts';

/** Where orchestrators and balancers come by every few seconds. */
const ROUTINE = new Set(['/healthz', '/readyz']);

/**
 * Names each request and logs it when it is over: the route, never the address, which may hold a name or what
 * somebody typed into the wrong place.
 */
export function logRequests({ log, readiness }: RouteServices): RequestHandler {
  return (req, res, next) => {
    req.id = randomUUID();
    const began = monotonic();
    if (readiness.draining) res.setHeader('Connection', 'close');
    res.once('close', () => {
      const line = {
        request: req.id,
        method: req.method,
        route: routeOf(req),
        status: res.statusCode,
        ms: Math.round((monotonic() - began) * 10) / 10,
        ...(res.writableFinished ? {} : { aborted: true }),
      };
      if (ROUTINE.has(line.route) && res.statusCode === 200) log.debug(line, 'request');
      else log.info(line, 'request');
    });
    next();
  };
}

/** The path that a route was registered with. */
function routeOf({ route }: Request): string {
  const registered: unknown = route;
  const known = typeof registered === 'object' && registered !== null && 'path' in registered;
  return known ? String(registered.path) : 'none';
}
