import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian's package `faketime`: https://github.com/wolfcw/libfaketime */
const LIBRARY = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

/** A clock that processes take for the system's, and that a test moves while they run. */
export interface MovedClock {
  /** What the environment of such a process has besides. */
  readonly env: Record<string, string>;
  /** @param milliseconds how far it is ahead of the real time; may be negative */
  move(milliseconds: number): void;
  now(): number;
}

/** Skips what needs a clock to move where `faketime` is not installed; with REQUIRE_SERVICES=1 that fails instead. */
export function skipWithoutMovedClock(context: Mocha.Context): void {
  if (LIBRARY !== undefined) return;
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error('faketime is not installed');
  context.skip(); // there is no libfaketime here
}

/** @param directory where it keeps what time it is */
export function movedClock(directory: string): MovedClock {
  const file = join(directory, 'time');
  let ahead = 0;
  const clock: MovedClock = {
    env: {
      LD_PRELOAD: LIBRARY ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1', // a process knows at once that it was moved
      DONT_FAKE_MONOTONIC: '1', // what measures how long something takes is not moved on any machine
    },
    move(milliseconds) {
      ahead = milliseconds;
      const seconds = Math.trunc(ahead / 1000);
      writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}`);
    },
    now: () => Date.now() + ahead,
  };
  clock.move(0);
  return clock;
}
