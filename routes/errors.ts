import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { Problem, StorageError } from '../core/errors.ts';
import { sendHtml, sendJson, wantsPage } from '../core/http.ts';
import { pageData } from './page-data.ts';
import type { RouteServices } from './services.ts';

/** Whatever no route took. */
export const nothingHere: RequestHandler = (_req, _res, next) => {
  next(
    new Problem(
      'not_found',
      'Check the address: upper and lower case and a slash at the end count.',
    ),
  );
};

/** The only place that turns an error into an answer: problem details (RFC 9457), or a page for a browser. */
export function answerErrors(services: RouteServices): ErrorRequestHandler {
  const { log, views } = services;
  return (error: unknown, req, res, _next) => {
    const problem = asProblem(error);
    if (isFailure(problem))
      log.error({ request: req.id, error: loggable(error) }, 'request failed');
    if (res.headersSent) {
      if (!res.writableEnded) res.destroy(); // half an answer must not pass for a whole one
      return;
    }
    clearFor(res, problem);
    const { status, title, detail, code } = problem;
    if (wantsPage(req.headers.accept)) {
      const data = { status, title, detail, code, requestId: req.id };
      sendHtml(res, status, views.render('problem', pageData(services, undefined, data)));
      return;
    }
    const body = {
      type: `urn:coatcheck:problem:${code}`,
      title,
      status,
      code,
      detail,
      request_id: req.id,
    };
    sendJson(res, status, body, 'application/problem+json; charset=utf-8');
  };
}

/** As `answerErrors`, in the form that RFC 6749, section 5.2, has for clients. */
export function answerOAuthErrors({ log }: RouteServices): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const problem = asProblem(error);
    if (isFailure(problem))
      log.error({ request: req.id, error: loggable(error) }, 'request failed');
    if (res.headersSent) return next(error);
    clearFor(res, problem);
    const [status, code] = oauthError(problem);
    // what is not in the range would be no error_description
    const description = problem.detail.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'");
    return sendJson(res, status, { error: code, error_description: description });
  };
}

function oauthError({ status }: Problem): [status: number, code: string] {
  if (status === 401) return [401, 'invalid_client'];
  if (status === 429) return [429, 'invalid_client']; // RFC 6585, section 4: the RFCs of OAuth have no word for it
  if (status < 500) return [400, 'invalid_request'];
  return status === 503 ? [503, 'temporarily_unavailable'] : [500, 'server_error'];
}

/** Whether somebody should look into it. To be busy is none, and would fill the log of a service under attack. */
function isFailure({ status, code }: Problem): boolean {
  return status >= 500 && code !== 'overloaded';
}

function clearFor(res: Response, problem: Problem): void {
  res.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(problem.headers)) res.setHeader(name, value);
}

/** What went wrong, in the words of the closed list. What it was made of stays in the log. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof StorageError) {
    return new Problem(
      'unavailable',
      'The service cannot reach its data. Please try again in a few seconds.',
      { cause: error },
    );
  }
  switch (statusOf(error)) {
    case 400:
      return new Problem('invalid_request', badRequestDetail(error), { cause: error });
    case 413:
      return new Problem('payload_too_large', 'The body has more than 16 KiB.', { cause: error });
    case 415:
      return new Problem('unsupported_media_type', 'Send UTF-8, not compressed.', { cause: error });
    default:
      return new Problem(
        'internal_error',
        'The error has been noted under the id of this request.',
        { cause: error },
      );
  }
}

/** Errors of Express and of its body parsers carry a status; those of others do not. */
function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined;
}

function badRequestDetail(error: unknown): string {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  return type === 'entity.parse.failed'
    ? 'The body is not valid JSON.'
    : 'The request cannot be read.';
}

/** An error without the fields that libraries hang on it, such as the body with the password in it. */
export function loggable(error: unknown): object {
  const root = error instanceof Problem && error.cause !== undefined ? error.cause : error;
  if (!(root instanceof Error)) return { type: typeof root };
  const { name, message, stack, cause } = root;
  return { type: name, message, stack, cause: cause instanceof Error ? cause.message : undefined };
}
