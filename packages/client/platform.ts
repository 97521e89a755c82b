import { type Moment, now } from './clock.ts';

/** What is taken from the browser, or from Node, where some of it does not exist. */
export interface Platform {
  readonly now: () => Moment;
  /** From 0 to 1. */
  readonly random: () => number;
  /** @returns what calls it off */
  readonly later: (milliseconds: number, callback: () => void) => () => void;
  /** A signal that is aborted after that many milliseconds, and with the other one. */
  readonly timeLimit: (milliseconds: number, signal?: AbortSignal) => AbortSignal;
  /** Whether nobody sees the page. */
  readonly isHidden: () => boolean | undefined;
  /**
   * Listens to the other tabs, and to whatever says that this one may have been away, until the signal is aborted.
   *
   * @returns the channel to the other tabs
   */
  readonly listen: (
    name: string,
    signal: AbortSignal,
    hear: (message: unknown) => void,
    wake: () => void,
  ) => { postMessage(message: object): void };
  /** Does the work while no other tab is at it, or regardless of them once the signal says that it has waited enough. */
  readonly inTurn: (name: string, signal: AbortSignal, work: () => Promise<void>) => void;
}

/** The part of a page's globals that Node does not have. */
interface Page {
  readonly document?: { readonly hidden: boolean };
  readonly addEventListener?: EventTarget['addEventListener'];
  readonly navigator?: { readonly locks?: Locks };
}

interface Locks {
  request(name: string, options: { signal: AbortSignal }, work: () => unknown): Promise<unknown>;
}

const page: Page = globalThis;

export const platform: Platform = {
  now,
  random: Math.random,
  later(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  timeLimit: (milliseconds, signal) =>
    AbortSignal.any([AbortSignal.timeout(milliseconds), ...(signal ? [signal] : [])]),
  isHidden: () => page.document?.hidden,
  listen(name, signal, hear, wake) {
    const channel = new BroadcastChannel(name);
    channel.addEventListener('message', (event: Event & { data?: unknown }) => hear(event.data));
    signal.addEventListener('abort', () => channel.close());
    for (const type of ['visibilitychange', 'focus', 'online', 'pageshow'])
      page.addEventListener?.(type, wake, { signal });
    return channel;
  },
  inTurn(name, signal, work) {
    let begun: Promise<void> | undefined;
    const begin = () => (begun ??= work());
    const { locks } = page.navigator ?? {};
    // a lock is only a courtesy to the other tabs: one that cannot be had in time is done without
    if (locks) locks.request(name, { signal }, begin).catch(begin);
    else void begin();
  },
};
