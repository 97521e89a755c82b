import type { HttpForm } from './http-form.ts';

/**
 * Nobody can say whether a token is good: the keys or the status list cannot be had. The answer to that is 503, never
 * 401, which would log people out.
 */
export class UnavailableError extends Error implements HttpForm {
  override readonly name = 'UnavailableError';
  readonly status = 503;
  readonly code = 'unavailable';
  readonly title = 'Not available right now';
  readonly headers: Readonly<Record<string, string>> = { 'Retry-After': '5' };
}
