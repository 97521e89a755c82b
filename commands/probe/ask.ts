import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Attempt } from './attempt.ts';

/** The API, and how it is asked. */
export interface Target {
  readonly url: URL;
  readonly method: string;
  /** What it needs besides the token. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** How long one answer may take, in milliseconds. */
  readonly timeout: number;
}

/** What came back: a status, or none. */
export type Answer =
  | { readonly status: number; readonly says: string }
  | { readonly failure: 'late' | 'closed' | 'unreachable' | 'not asked'; readonly says: string };

/** Bytes of a body that are waited for: only the status counts. */
const ENOUGH = 65_536;

/** Errors of a connection that there was, and that the API ended without an answer. */
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/**
 * Sends one request, on a connection of its own, to the address of the target and to no other: redirects are answers.
 * Never fails: what Node will not send is unreachable.
 * @param stop ends it early
 */
export function ask(
  target: Target,
  { authorization, query }: Pick<Attempt, 'authorization' | 'query'>,
  stop: AbortSignal,
): Promise<Answer> {
  if (stop.aborted) return Promise.resolve({ failure: 'not asked', says: '' });
  const url = new URL(target.url);
  if (query !== undefined) url.searchParams.append('access_token', query);
  const headers = {
    ...target.headers,
    ...(authorization.length > 0 && { Authorization: [...authorization] }),
  };
  const late = AbortSignal.timeout(target.timeout);
  const signal = AbortSignal.any([late, stop]);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const { method } = target;
  return new Promise<Answer>((resolve) => {
    let answered = false;
    const request = send(url, { method, headers, agent: false, signal }, (response) => {
      answered = true;
      const { statusCode: status = 0, headers: received } = response;
      const answer = { status, says: reasonIn(received['www-authenticate']) };
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > ENOUGH) request.destroy();
      });
      response.on('error', () => undefined); // the status is there
      response.on('close', () => resolve(answer));
    });
    request.on('error', (error) => {
      if (!answered) resolve(failed(error, late, stop));
    });
    request.on('close', () => {
      if (!answered) resolve({ failure: 'closed', says: '' });
    });
    try {
      request.end();
    } catch (error) {
      request.destroy(error instanceof Error ? error : undefined);
    }
  }).catch((error: unknown) => failed(error, late, stop));
}

function failed(error: unknown, late: AbortSignal, stop: AbortSignal): Answer {
  if (stop.aborted) return { failure: 'not asked', says: '' };
  if (late.aborted) return { failure: 'late', says: '' };
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return { failure: CLOSED.has(code) ? 'closed' : 'unreachable', says: code };
}

/** Why a token was refused (RFC 6750, section 3), short, and without anything that could be a part of a token. */
function reasonIn(challenge: string | undefined): string {
  const said =
    /error_description="([^"]*)"/.exec(challenge ?? '') ?? /error="([^"]*)"/.exec(challenge ?? '');
  return (said?.[1] ?? '').replaceAll(/[\w+/=-]{24,}/g, '…').slice(0, 60);
}
