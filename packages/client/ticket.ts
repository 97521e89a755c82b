import type { Moment } from './clock.ts';

/** Who is signed in, as the token says. What `JWT_CLAIMS` leaves out, and what a person has not given, is `undefined`. */
export interface User {
  /** The token's `sub`. */
  readonly id: string;
  readonly username: string | undefined;
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly roles: readonly string[] | undefined;
}

/** A token, and what has to be known of it to keep it. */
export interface Ticket {
  readonly token: string;
  readonly user: User;
  /** Which session it was exchanged for. */
  readonly sid: string;
  /** When it was issued, by the service's clock. */
  readonly iat: number;
  /** When it was asked for, by the clocks here: they may be years apart from the service's. */
  readonly asked: Moment;
  /** For how many milliseconds from then on it is good. */
  readonly life: number;
}

interface Claims extends Omit<User, 'id'> {
  readonly sub: string;
  readonly sid: string;
  readonly iat: number;
}

const DAY = 86_400_000;

/** The ticket in an answer of the service, or in a message of another tab; `undefined` where there is none. */
export function readTicket(answer: unknown, asked: Moment): Ticket | undefined {
  const fields = fieldsOf(answer);
  const token = String(fields['token']);
  const claims = claimsOf(token);
  // a token has a way to go when it is sent; and a timer of more than 24 days would fire at once
  const life = Math.min(Number(fields['expires_in']) * 950, DAY);
  if (!isClaims(claims) || !(life > 0)) return undefined;
  const { sub: id, sid, iat, username, name, email, roles } = claims;
  return { token, user: { id, username, name, email, roles }, sid, iat, asked, life };
}

/** The payload of a JWT. Nobody verifies it here: it is for showing, and the service itself sent it. APIs verify it. */
function claimsOf(token: string): unknown {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function isClaims(value: unknown): value is Claims {
  return Boolean(fieldsOf(value)['sid']);
}

/** What is in an object; in anything else there is nothing. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return Object(value); // oxlint-disable-line typescript/no-unsafe-return -- which is one, whatever the value
}
