import { type Clock, monotonic } from '../../core/clock.ts';
import { type Answer, ask, type Target } from './ask.ts';
import type { Attempt } from './attempt.ts';
import { inWords, isRefusalWithoutToken, type Verdict, verdictOn } from './verdict.ts';
import type { WeaknessName } from './weaknesses.ts';

/** More requests than this are never sent, whatever is to be tried. */
const MOST_REQUESTS = 60;

/** How the API is asked. */
export interface Manner {
  readonly target: Target;
  readonly clock: Clock;
  /** Ends it early; what has not been asked by then is said so. */
  readonly stop: AbortSignal;
  /** Waits so many milliseconds, or until `stop`. */
  readonly pause: (milliseconds: number) => Promise<void>;
}

export interface Result {
  readonly name: string;
  readonly tried: string;
  /** In words. */
  readonly expected: string;
  readonly got: string;
  /** Of the answer, if there was one. */
  readonly status?: number;
  readonly verdict: Verdict;
  readonly isGood: boolean;
  /** What is wrong if it is not good, where that is the API's doing. */
  readonly weakness?: WeaknessName;
  readonly seconds: number;
}

/** Counts the requests and judges the answers. */
export class Asking {
  readonly #manner: Manner;
  #requests = 0;
  /** The status without a token. */
  #usual: number | undefined;

  constructor(manner: Manner) {
    this.#manner = manner;
  }

  async withGood(name: string, token: string): Promise<Result> {
    const { answer, seconds } = await this.#ask({ authorization: [`Bearer ${token}`] });
    const verdict = verdictOn(answer);
    const isGood = verdict === 'accepted';
    const tried = 'the good token as it is';
    return { name, tried, expected: '2xx', ...told(answer), verdict, isGood, seconds };
  }

  async withNone(): Promise<Result> {
    const { answer, seconds } = await this.#ask({ authorization: [] });
    const isGood = isRefusalWithoutToken(answer);
    if ('status' in answer) this.#usual = answer.status;
    const verdict = isGood ? 'refused' : verdictOn(answer);
    return {
      name: 'no-token',
      tried: 'no token',
      expected: '401',
      ...told(answer),
      verdict,
      isGood,
      seconds,
    };
  }

  async with(attempt: Attempt): Promise<Result> {
    let { answer, seconds } = await this.#ask(attempt);
    const { clock, pause } = this.#manner;
    const wait = (attempt.until ?? 0) - clock.now();
    if (wait > 0 && verdictOn(answer, this.#usual) === 'accepted') {
      await pause(wait); // it may have looked at the status list just before
      ({ answer, seconds } = await this.#ask(attempt));
    }
    const verdict = verdictOn(answer, this.#usual);
    const weakness = weaknessOf(verdict, attempt);
    return {
      name: attempt.name,
      tried: attempt.tried,
      expected: '401',
      ...told(answer),
      verdict,
      isGood: verdict === 'refused',
      ...(weakness !== undefined && { weakness }),
      seconds,
    };
  }

  async #ask(what: Pick<Attempt, 'authorization' | 'query'>) {
    const { target, stop } = this.#manner;
    this.#requests += 1;
    const isEnough = this.#requests > MOST_REQUESTS;
    const started = monotonic();
    const answer: Answer = isEnough
      ? { failure: 'not asked', says: '' }
      : await ask(target, what, stop);
    return { answer, seconds: (monotonic() - started) / 1000 };
  }
}

function weaknessOf(verdict: Verdict, attempt: Attempt): WeaknessName | undefined {
  if (verdict === 'accepted') return attempt.weakness;
  return verdict === 'crashed' ? 'crash' : undefined;
}

function told(answer: Answer): Pick<Result, 'got' | 'status'> {
  return { got: inWords(answer), ...('status' in answer && { status: answer.status }) };
}
