import jsonwebtoken from 'jsonwebtoken';
import { z } from 'zod';
import type { Reply, Sample } from './load.ts';
import { describe } from './sessions.ts';

const ticketBody = z.object({ token: z.string() });
const ticketClaims = z.object({ username: z.string(), iat: z.number(), exp: z.number() });

/** What the tokens of one server must hold. */
export interface Expectation {
  readonly name: string;
  readonly ticketKey: string;
  /** The username that the token for this request must name. */
  readonly usernameFor: (request: number) => string;
}

/**
 * A fast wrong answer is worth nothing: every answer must have been 200, and the tokens looked into
 * must be signed, unexpired, and for the user whose session asked.
 *
 * @throws Error that says what the server answered instead
 */
export function checkTickets(sample: Sample, expected: Expectation): void {
  const { failures, firstFailure, count } = sample;
  if (firstFailure) {
    const what = describe(firstFailure.answer);
    throw new Error(
      `${expected.name}: ${failures} of ${count} answers were not 200; the first was ${what}`,
    );
  }
  if (sample.lastReplies.length === 0) throw new Error(`${expected.name} was asked nothing`);
  for (const reply of sample.lastReplies) checkTicket(reply, expected);
}

function checkTicket({ request, answer }: Reply, expected: Expectation): void {
  const username = expected.usernameFor(request);
  try {
    const { token } = ticketBody.parse(JSON.parse(answer.body.toString('utf8')));
    const verified = jsonwebtoken.verify(token, expected.ticketKey, { algorithms: ['HS256'] });
    const claims = ticketClaims.parse(verified);
    if (claims.username !== username) throw new Error(`the token is for ${claims.username}`);
  } catch (error) {
    throw new Error(`${expected.name} gave ${username} no good token: ${reason(error)}`, {
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}
