import { type RequestHandler, Router } from 'express';
import { Problem } from '../core/errors.ts';
import { publicEndpoint, sendDocument } from './public-document.ts';
import type { RouteServices } from './services.ts';

const TYPE = 'application/statuslist+jwt';

/** How long the list of the lists may be kept, in seconds: a new one appears once in many thousand sign-ins. */
const MAX_AGE = 60;

/** What tells every API which tokens have been revoked (draft-ietf-oauth-status-list-21, sections 8 and 9). */
export function statusListRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  publicEndpoint(router, '/status-lists', sendAddresses(services));
  publicEndpoint(router, '/status-lists/:id', sendList(services));
  return router;
}

function sendAddresses({ statusLists, statusListUri }: RouteServices): RequestHandler {
  return async (req, res) => {
    const body = JSON.stringify({ status_lists: (await statusLists.ids()).map(statusListUri) });
    sendDocument(req, res, { type: 'application/json', body, maxAge: MAX_AGE });
  };
}

function sendList({ statusListTokens }: RouteServices): RequestHandler {
  return async (req, res) => {
    const { id } = req.params;
    res.setHeader('Vary', 'Accept');
    const list = typeof id === 'string' ? await statusListTokens.of(id) : undefined;
    if (list === undefined) throw new Problem('not_found', 'There is no status list of that id.');
    if (!req.accepts(TYPE)) {
      throw new Problem('not_acceptable', `The status list is there as ${TYPE} only, not as CWT.`);
    }
    sendDocument(req, res, { type: TYPE, body: list.jwt, maxAge: list.maxAge });
  };
}
