import type { ServerResponse } from 'node:http';
import { RequestError } from './request-error.ts';
import { TokenError } from './token.ts';
import { UnavailableError } from './unavailable.ts';

/** Why a request is not let through. */
export type Refusal = RequestError | TokenError | UnavailableError;

export function isRefusal(error: unknown): error is Refusal {
  return (
    error instanceof TokenError ||
    error instanceof RequestError ||
    error instanceof UnavailableError
  );
}

/** Answers with problem details (RFC 9457), which no cache may keep. */
export function answerProblem(refusal: Refusal, res: ServerResponse): void {
  if (res.headersSent) return; // somebody has answered meanwhile, a timeout for instance
  const { status, code, title, headers, message } = refusal;
  const type = `urn:coatcheck:problem:${code}`;
  const body = JSON.stringify({ type, title, status, code, detail: message });
  res.writeHead(status, {
    ...headers,
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  res.end(body);
}
