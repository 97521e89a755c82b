import { AuthError } from './error.ts';
import { fieldsOf } from './ticket.ts';

/** A service that says "tomorrow" does not keep a tab from asking until then. In seconds. */
const LONGEST_TOLD = 300;

/**
 * Asks the service.
 *
 * @returns the body of an answer that is 2xx
 * @throws {AuthError} also when the signal was aborted
 */
export async function ask(send: typeof fetch, url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await send(url, {
      credentials: 'include',
      redirect: 'error', // the service never redirects a script; a network that wants one to sign in to it does
      keepalive: true, // a page that is left right after a logout does not take it along
      ...init,
    });
  } catch (cause) {
    throw new AuthError('unreachable', undefined, { cause }); // or this origin is not in CORS_ORIGINS
  }
  const { ok, status, headers } = response;
  const answer: unknown = await response.json().catch(() => undefined); // nothing, or a page of a proxy
  if (ok) return answer;
  const { code = 'unexpected_answer', detail }: Problem = fieldsOf(answer);
  // seconds: a date, the other form of the header, would be about a clock that may be wrong
  const retryAfter = Math.min(LONGEST_TOLD, Number(headers.get('Retry-After'))) || undefined;
  throw new AuthError(code, detail, { status, retryAfter });
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
}
