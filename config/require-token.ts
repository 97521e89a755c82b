import type { Request, RequestHandler } from 'express';
import { bearerToken, type Token, TokenError, type Verifier } from '#verify';
import { invalidToken, Problem } from '../core/errors.ts';
import { cookieValue } from '../core/http.ts';

declare global {
  namespace Express {
    interface Request {
      /** The claims of the verified token, behind `requireToken`. */
      token?: Token;
    }
  }
}

/**
 * Lets only requests with a good token through: one, in the Authorization header or in the token cookie.
 * Errors are those of RFC 6750, section 3.1.
 */
export function requireToken(verifier: Verifier, tokenCookie: string | undefined): RequestHandler {
  return async (req, _res, next) => {
    req.token = await verifier.verify(presentedToken(req, tokenCookie)).catch(refuse);
    next();
  };
}

function refuse(error: unknown): never {
  throw error instanceof TokenError ? invalidToken(error.message) : error;
}

/** The one token of the request: from the header, or from the token cookie (RFC 6750, section 2). */
function presentedToken(req: Request, tokenCookie: string | undefined): string {
  if (req.url.includes('?') && req.query['access_token'] !== undefined) {
    throw badRequest(
      'A token in the address ends up in logs and histories: send it in the Authorization header.',
    );
  }
  const header = bearerToken(req.headers.authorization);
  if (header === 'malformed') throw badRequest('The Authorization header is not "Bearer <token>".');
  const cookie = tokenCookie && cookieValue(req.headers.cookie, tokenCookie);
  if (header === 'none') {
    if (cookie) return cookie;
    const headers = { 'WWW-Authenticate': 'Bearer' };
    throw new Problem(
      'token_required',
      'Send "Authorization: Bearer <token>" with a token from /auth/token.',
      { headers },
    );
  }
  if (cookie && cookie !== header.token)
    throw badRequest('The header and the cookie hold two different tokens.');
  return header.token;
}

function badRequest(detail: string): Problem {
  const headers = { 'WWW-Authenticate': 'Bearer error="invalid_request"' };
  return new Problem('invalid_request', detail, { headers });
}
