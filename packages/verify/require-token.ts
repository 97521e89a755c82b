import type { IncomingMessage, ServerResponse } from 'node:http';
import { hasRoles } from './claims.ts';
import { demandRoles, readGateOptions, type RequireTokenOptions } from './gate-options.ts';
import { presentedToken } from './presented-token.ts';
import { answerProblem, isRefusal } from './problem.ts';
import { RequestError } from './request-error.ts';
import type { Token } from './token.ts';

declare global {
  // The only way to give Express's request a property: its types extend this one.
  namespace Express {
    interface Request {
      /** The claims of the verified token, behind `requireToken`. */
      token?: Token;
    }
  }
}

/** Middleware for Express, or for whatever else hands on Node's own requests and responses. */
export type Middleware = (
  req: IncomingMessage & { token?: Token },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Lets only requests with a good token through, and puts its claims into `req.token`. It answers all others itself, as
 * RFC 6750, section 3, says: 401 without a token or with a bad one, 400 with two, 403 without one of the roles, 503
 * when nobody can say. Unexpected errors go to `next`.
 *
 * @throws {TypeError} for wrong options, and says which
 */
export function requireToken(options: RequireTokenOptions): Middleware {
  const { verifier, roles, cookie, onRefused } = readGateOptions(options);

  async function tokenOf(req: IncomingMessage): Promise<Token> {
    const token = await verifier.verify(presentedToken(req, cookie));
    if (!hasRoles(token, roles)) throw missingRole(roles);
    return token;
  }

  return (req, res, next) => {
    if (req.token !== undefined) delete req.token; // whoever put it there did not ask this verifier
    tokenOf(req)
      .then(
        (token) => {
          req.token = token;
          next();
        },
        async (error: unknown) => {
          if (!isRefusal(error)) throw error;
          await onRefused(error, req, res, next);
        },
      )
      .catch((error: unknown) => next(asError(error)));
  };
}

/**
 * Lets only bearers through who have all of these roles, behind `requireToken`.
 *
 * @throws {TypeError} when no role is named
 */
export function requireRoles(...roles: string[]): Middleware {
  demandRoles(roles);
  return ({ token }, res, next) => {
    if (token === undefined) {
      answerProblem(
        new RequestError('token_required', 'No token was asked for on the way here.'),
        res,
      );
    } else if (hasRoles(token, roles)) {
      next();
    } else {
      answerProblem(missingRole(roles), res);
    }
  };
}

function missingRole(roles: readonly string[]): RequestError {
  return new RequestError('insufficient_scope', `This needs: ${roles.join(', ')}.`);
}

/** Express lets a request go on when what was thrown is `undefined`, and skips routes for some texts. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error('something else was thrown', { cause: thrown });
}
