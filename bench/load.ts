import { Connection, type Answer } from './connection.ts';

/** What a load is made of: whole requests, sent in turn, over so many connections at once. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: readonly Buffer[];
  /** Stops the load early; the run then rejects. */
  readonly signal: AbortSignal;
}

/** An answer, and which of the load's requests it belongs to. */
export interface Reply {
  readonly request: number;
  readonly answer: Answer;
}

/** What one run of a load saw. */
export interface Sample {
  readonly seconds: number;
  readonly count: number;
  /** Milliseconds from sending to the last byte of the answer, ascending. */
  readonly latencies: Float64Array;
  /** Answers with another status than 200. */
  readonly failures: number;
  readonly firstFailure: Reply | undefined;
  /** The last answer on each connection, to look into. */
  readonly lastReplies: readonly Reply[];
}

/** Whether a run has done enough, from what it did so far. */
export type Enough = (count: number, seconds: number) => boolean;

export const forSeconds =
  (limit: number): Enough =>
  (_count, seconds) =>
    seconds >= limit;

export const forRequests =
  (limit: number): Enough =>
  (count) =>
    count >= limit;

class Tally {
  readonly #startedAt = performance.now();
  readonly #latencies: number[] = [];
  readonly #lastReplies = new Map<Connection, Reply>();
  #failures = 0;
  #firstFailure: Reply | undefined;
  #issued = 0;

  /** Counts requests when they are sent, so that parallel connections do not overshoot. */
  issue(enough: Enough): boolean {
    if (enough(this.#issued, (performance.now() - this.#startedAt) / 1000)) return false;
    this.#issued += 1;
    return true;
  }

  record(connection: Connection, reply: Reply, latency: number): void {
    this.#latencies.push(latency);
    this.#lastReplies.set(connection, reply);
    if (reply.answer.status === 200) return;
    this.#failures += 1;
    this.#firstFailure ??= reply;
  }

  sample(): Sample {
    return {
      seconds: (performance.now() - this.#startedAt) / 1000,
      count: this.#latencies.length,
      latencies: Float64Array.from(this.#latencies).toSorted(),
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      lastReplies: [...this.#lastReplies.values()],
    };
  }
}

/**
 * Runs loads against one server. The place in the list of requests is kept between runs, so a
 * server meets every session before it meets one again.
 */
export class LoadGenerator {
  readonly #load: Load;
  #next = 0;

  constructor(load: Load) {
    this.#load = load;
  }

  /**
   * Opens fresh connections (idle ones would not survive the other servers' turns), then hands the
   * run itself to `observe`, which can put meters around it, and closes the connections after it.
   */
  async run<T>(enough: Enough, observe: (go: () => Promise<Sample>) => Promise<T>): Promise<T> {
    const { port, connections, signal } = this.#load;
    signal.throwIfAborted();
    const open = await Promise.all(
      Array.from({ length: connections }, () => Connection.open(port)),
    );
    const close = () => open.forEach((connection) => connection.close());
    signal.addEventListener('abort', close);
    try {
      return await observe(() => this.#drive(open, enough));
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  async #drive(connections: readonly Connection[], enough: Enough): Promise<Sample> {
    const tally = new Tally();
    await Promise.all(connections.map((connection) => this.#ask(connection, enough, tally)));
    return tally.sample();
  }

  async #ask(connection: Connection, enough: Enough, tally: Tally): Promise<void> {
    const { requests } = this.#load;
    while (tally.issue(enough)) {
      const request = this.#next++ % requests.length;
      const bytes = requests[request];
      if (!bytes) throw new RangeError('a load needs at least one request');
      const sentAt = performance.now();
      const answer = await connection.send(bytes);
      tally.record(connection, { request, answer }, performance.now() - sentAt);
    }
  }
}
