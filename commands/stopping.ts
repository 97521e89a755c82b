import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { monotonic } from '../core/clock.ts';
import { loggable } from '../routes/errors.ts';

/** How long requests in flight may take once a process has been told to stop, in milliseconds. */
export const PATIENCE = 10_000;

/** npm hands on a Ctrl-C that the terminal has sent to the whole group already: that soon it is the same one. */
const SAME_SIGNAL = 250;

/** Started from a terminal, SIGHUP says that the terminal is gone; otherwise it is an operator's "reload". */
const hangsUp = isatty(0);

/** What tells a process to stop. */
export const STOP_SIGNALS: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  ...(hangsUp ? (['SIGHUP'] as const) : []),
];

/** Calls back at each "reload". */
export function onReload(reload: () => void): void {
  if (!hangsUp) process.on('SIGHUP', reload);
}

/**
 * Resolves at the first signal to stop. A second one ends the process on the spot.
 * @param last what is done right before that
 * @returns the exit code
 */
export function firstSignal(log: Logger, last: () => void = () => undefined): Promise<number> {
  return new Promise((resolve) => {
    let stopping: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping === undefined) {
        stopping = monotonic();
        log.info({ signal }, 'stopping: finishing the requests in flight');
        resolve(0);
      } else if (monotonic() - stopping > SAME_SIGNAL) {
        last();
        process.exit(1);
      }
    };
    for (const signal of STOP_SIGNALS) process.on(signal, stop);
  });
}

/**
 * Resolves at the first error that nothing has caught, a promise that nobody waited for included. What the
 * process knows may be wrong from there on: it finishes the requests in flight and ends, for whoever watches over
 * it to start it again. @returns the exit code
 */
export function firstFault(log: Logger): Promise<number> {
  return new Promise((resolve) => {
    process.on('uncaughtException', (error: unknown) => {
      log.fatal({ error: loggable(error) }, 'stopping: an error was not caught anywhere');
      resolve(1);
    });
  });
}
