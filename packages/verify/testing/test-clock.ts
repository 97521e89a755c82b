import { systemNow } from '../clock.ts';

/** The system's clock, which a test can put forward. */
export class TestClock {
  readonly #base: () => number;
  #ahead = 0;

  constructor(base: () => number = systemNow) {
    this.#base = base;
  }

  /** Milliseconds since 1970. */
  readonly now = (): number => this.#base() + this.#ahead;

  /** @param seconds how far it goes forward */
  advance(seconds: number): void {
    this.#ahead += seconds * 1000;
  }

  /** Seconds since 1970, whole ones. */
  seconds(): number {
    return Math.floor(this.now() / 1000);
  }
}
