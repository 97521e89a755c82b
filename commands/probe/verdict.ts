import type { Answer } from './ask.ts';

/**
 * What an answer means: `refused`; `accepted`; `crashed` for an error of the API's own, a connection that it closed or no
 * answer in time; `called`: refused, but it went to the address in the token; `unclear` where nobody can say.
 */
export type Verdict = 'refused' | 'accepted' | 'crashed' | 'called' | 'unclear';

/** Bad request, unauthorised (RFC 6750, section 3.1), forbidden, and what servers say of headers that are too long. */
const REFUSALS = new Set([400, 401, 403, 413, 414, 431]);

/** It says itself that it could not look. */
const BUSY = new Set([429, 503]);

/** @param usual the status of a request without a token, which an API may choose as it likes, such as 404 */
export function verdictOn(answer: Answer, usual?: number): Verdict {
  if ('failure' in answer) {
    return answer.failure === 'late' || answer.failure === 'closed' ? 'crashed' : 'unclear';
  }
  const { status } = answer;
  if (BUSY.has(status)) return 'unclear';
  if (status >= 500) return 'crashed';
  if (status >= 200 && status < 300) return 'accepted';
  const isRedirect = status >= 300 && status < 400; // to where one signs in
  return REFUSALS.has(status) || isRedirect || status === usual ? 'refused' : 'unclear';
}

/** The same without a token: whatever the API says by way of refusing is what it says. */
export function isRefusalWithoutToken(answer: Answer): boolean {
  return 'status' in answer && answer.status >= 300 && answer.status < 500 && answer.status !== 429;
}

export function inWords(answer: Answer): string {
  if ('status' in answer) return [String(answer.status), answer.says].filter(Boolean).join(': ');
  const words = {
    late: 'no answer in time',
    closed: 'the connection was closed without an answer',
    unreachable: 'no answer that is HTTP',
    'not asked': 'not asked: the bounds of time or of requests were reached',
  };
  return [words[answer.failure], answer.says].filter(Boolean).join(': ');
}
