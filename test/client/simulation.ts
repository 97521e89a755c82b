import type { Moment } from '../../packages/client/clock.ts';
import type { Platform } from '../../packages/client/platform.ts';

interface Task {
  readonly at: number;
  readonly run: () => void;
}

/** The time of all tabs of a test: it moves when it is told to, and what was due on the way happens then. */
export class VirtualTime {
  now = 0;
  #tasks: Task[] = [];

  /** @returns what calls it off */
  later(milliseconds: number, run: () => void): () => void {
    const task = { at: this.now + milliseconds, run };
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await settled();
      const next = this.#tasks.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#tasks = this.#tasks.filter((other) => other !== next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = end;
  }
}

/** Once everything that follows without time passing has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await breath();
}

export const breath = () => new Promise<void>((resolve) => setImmediate(resolve));

type Hear = (message: unknown) => void;

/** What tabs of one browser have in common: a channel and locks. */
export class VirtualBrowser {
  readonly time = new VirtualTime();
  readonly channel = new Set<Hear>();
  readonly #queues = new Map<string, Promise<unknown>>();

  tab(): VirtualTab {
    return new VirtualTab(this);
  }

  /** A lock, as the browser has it: one after the other, however long that takes. */
  async lock(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const before = this.#queues.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queues.set(name, promise);
    const tooLong = new Promise<void>((end) => {
      signal.addEventListener('abort', () => end());
    });
    await Promise.race([before, tooLong]);
    try {
      await work();
    } finally {
      void Promise.resolve(before).then(() => resolve());
    }
  }
}

/** One tab, as far as the client sees it. */
export class VirtualTab implements Platform {
  hidden = false;
  /** By how much the clock that the device shows is wrong. */
  wallError = 0;
  /** How long the device slept, by a monotonic clock that stands still then. */
  slept = 0;
  /** Wakes the tab up, once the client listens. */
  wake: () => void = () => undefined;
  /** What this tab hears, once the client listens. */
  hear: Hear = () => undefined;
  readonly #browser: VirtualBrowser;

  constructor(browser: VirtualBrowser) {
    this.#browser = browser;
  }

  now = (): Moment => {
    const { now } = this.#browser.time;
    return { monotonic: now - this.slept, wall: 1_800_000_000_000 + now + this.wallError };
  };
  luck = 0.5;
  random = () => this.luck;
  later = (milliseconds: number, callback: () => void) =>
    this.#browser.time.later(milliseconds, callback);
  timeLimit = (milliseconds: number, signal?: AbortSignal) => {
    const limit = new AbortController();
    this.later(milliseconds, () => limit.abort(new DOMException('too long', 'TimeoutError')));
    return signal ? AbortSignal.any([limit.signal, signal]) : limit.signal;
  };
  isHidden = () => this.hidden;
  listen = (_name: string, signal: AbortSignal, hear: Hear, wake: () => void) => {
    const { channel } = this.#browser;
    const heard: Hear = (message) => queueMicrotask(() => signal.aborted || hear(message));
    channel.add(heard);
    signal.addEventListener('abort', () => channel.delete(heard));
    this.hear = heard;
    this.wake = wake;
    return {
      postMessage(message: object) {
        for (const other of channel) if (other !== heard) other(structuredClone(message));
      },
    };
  };
  inTurn = (name: string, signal: AbortSignal, work: () => Promise<void>) => {
    void this.#browser.lock(name, signal, work);
  };
}
