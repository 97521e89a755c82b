import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { presentedToken, RequestError, TokenError, UnavailableError, type Verifier } from '#verify';
import { invalidToken, Problem } from '../core/errors.ts';

/**
 * Lets only requests with a good token through: one, in the Authorization header or in the token cookie.
 * Errors are those of RFC 6750, section 3.1, as problems of this service.
 */
export function requireToken(verifier: Verifier, tokenCookie: string | undefined): RequestHandler {
  const tokenOf = async (req: IncomingMessage) => verifier.verify(presentedToken(req, tokenCookie));
  return async (req, _res, next) => {
    req.token = await tokenOf(req).catch(refuse);
    next();
  };
}

function refuse(error: unknown): never {
  if (error instanceof TokenError) throw invalidToken(error.message);
  if (error instanceof UnavailableError) {
    throw new Problem(
      'unavailable',
      'The service cannot check tokens. Please try again in a few seconds.',
      {
        cause: error,
      },
    );
  }
  if (!(error instanceof RequestError) || error.code === 'insufficient_scope') throw error;
  const { code, headers } = error;
  const asked = code === 'token_required';
  const detail = asked
    ? 'Send "Authorization: Bearer <token>" with a token from /auth/token.'
    : error.message;
  throw new Problem(code, detail, { headers });
}
