import type { AuthError } from './error.ts';
import type { Ticket } from './ticket.ts';

/** What is known about the token for one audience. */
export interface Slot {
  readonly audience: string;
  ticket?: Ticket;
  /** Whether the service is being asked. There is never a second request. */
  asking?: boolean;
  /** How often it went wrong in a row, what last, and when to try again, by the monotonic clock. */
  failures: number;
  error?: AuthError;
  retryAt: number;
  /** Calls off the next renewal or the next try. */
  stop?: () => void;
}

const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;

/** Milliseconds: what the service said, or more and more. */
export function retryDelay({ retryAfter }: AuthError, failures: number, random: number): number {
  const delay = retryAfter
    ? Math.max(FIRST_RETRY, retryAfter * 1000)
    : Math.min(LAST_RETRY, FIRST_RETRY * 2 ** failures);
  return delay * (1 + random / 4); // so that not all tabs of the world come back in the same moment
}

/** Whether the same request may well succeed in a while. */
export function isPassing({ status = 500 }: AuthError): boolean {
  return status >= 500 || status === 429; // no status: no answer
}
