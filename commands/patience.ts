import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { monotonic } from '../core/clock.ts';
import { StorageError } from '../core/errors.ts';

/** How long a store may take to come up, in milliseconds, and the longest pause between two tries. */
const PATIENCE = 60_000;
const LONGEST_PAUSE = 5000;

/**
 * Does what needs the stores, again and again while one of them is away in a way that may pass, as when all is started
 * at once, or somebody else writes for long.
 *
 * @throws {StorageError} of the last try, when that has taken a minute
 */
export async function patiently<T>(work: () => Promise<T>, log: Logger): Promise<T> {
  const end = monotonic() + PATIENCE;
  for (let pause = 250; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      return await work();
    } catch (error) {
      const left = end - monotonic();
      if (!(error instanceof StorageError && error.passes) || left <= 0) throw error;
      const wait = Math.min(pause, left);
      log.warn({ again: `in ${Math.ceil(wait)} ms` }, `waiting for the stores: ${error.message}`);
      await delay(wait);
    }
  }
}
