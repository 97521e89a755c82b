import { hash } from 'node:crypto';
import type { Request, RequestHandler, Response, Router } from 'express';
import { endpoint } from './endpoint.ts';

/** A document that is the same for whoever asks, and may be kept for a while. */
export interface PublicDocument {
  readonly type: string;
  readonly body: string;
  /** How long it may be kept, in seconds. */
  readonly maxAge: number;
}

/** Serves a document to everybody, and to the scripts of any site. */
export function publicEndpoint(router: Router, path: string, send: RequestHandler): void {
  const steps = [openToAll, send];
  endpoint(router, path, { get: steps, head: steps, options: [openToAll, allowConditions] });
}

/** A script that asks under a condition has its browser ask for leave first (Fetch, section 4.8). */
const allowConditions: RequestHandler = (_req, res) => {
  res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD');
  res.setHeader('Access-Control-Allow-Headers', 'If-None-Match, Cache-Control');
  res.setHeader('Access-Control-Max-Age', '600');
  res.writeHead(204).end();
};

/** Lets the scripts of any site read what is answered, errors too: none of it depends on who asks. */
const openToAll: RequestHandler = (_req, res, next) => {
  res.setHeader('Access-Control-Allow-Origin', '*');
  res.setHeader('Access-Control-Expose-Headers', 'ETag');
  res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  next();
};

/** Answers 200 with the document, or 304 to whoever has that very one (RFC 9110, section 13.1.2). */
export function sendDocument(req: Request, res: Response, document: PublicDocument): void {
  const { type, body, maxAge } = document;
  const etag = `"${hash('sha256', body, 'base64url')}"`;
  res.setHeader('Cache-Control', `public, max-age=${maxAge}`);
  res.setHeader('ETag', etag);
  if (hasAlready(req.headers['if-none-match'], etag)) {
    res.writeHead(304).end();
    return;
  }
  res.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

/** Compares weakly: a cache on the way may have marked what it compressed. */
function hasAlready(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const known = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(etag) || known.includes('*');
}
