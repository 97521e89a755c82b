import { randomInt } from 'node:crypto';

/** Chance that can be had again: the same seed, the same throws. */
export class Dice {
  readonly seed: number;
  #state: number;

  /** @param seed left out, `FAULTS_SEED` or else any */
  constructor(seed = Number(process.env['FAULTS_SEED'] ?? randomInt(2 ** 31))) {
    this.seed = seed;
    this.#state = seed;
  }

  /** A whole number from 0 to below the limit. */
  below(limit: number): number {
    // the generator "mulberry32": 32 bits of state, good enough to choose with
    this.#state = (this.#state + 0x6d_2b_79_f5) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  /** One of them. @throws when there is none */
  pick<T>(things: readonly T[]): T {
    const thing = things[this.below(things.length)];
    if (thing === undefined) throw new Error('there is nothing to pick from');
    return thing;
  }
}
