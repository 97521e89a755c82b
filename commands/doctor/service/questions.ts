import { parsedJson } from '../../../core/json.ts';
import type { Question } from './visit.ts';

/** An origin that no service of ours allows: the name can be nobody's (RFC 2606). */
export const STRANGER = 'https://attacker.example';

/** The questions that several checks ask. Each is sent once. None of them signs anybody in, or counts as an attempt. */
export const PAGE: Question = { path: '/', headers: { Accept: 'text/html' } };
export const EXCHANGE: Question = { path: '/auth/token' };
export const KEY_SET: Question = { path: '/.well-known/jwks.json' };
export const METADATA: Question = { path: '/.well-known/oauth-authorization-server' };
export const NOWHERE: Question = { path: '/coatcheck-doctor/nowhere' };
export const GARBLED_LOGIN: Question = {
  method: 'POST',
  path: '/auth/login',
  headers: { 'Content-Type': 'application/json' },
  body: '{"username":',
};
export const LOGOUT: Question = { method: 'POST', path: '/auth/logout' };

/** What was answered, as an object; an empty one where it is none. */
export function jsonOf({ body }: { readonly body: string }): Readonly<Record<string, unknown>> {
  const value = parsedJson(body);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
