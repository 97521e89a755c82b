import type { Clock } from '../../core/clock.ts';

/** A clock that a test holds and moves. Begins at the real time, so that cookies' dates make sense. */
export class TestClock implements Clock {
  #now = Date.now();

  now(): number {
    return this.#now;
  }

  /** @param milliseconds may be negative */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
