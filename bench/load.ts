import { Connection, type Answer } from './connection.ts';

/** What a load is made of: whole requests, sent in turn, over so many connections at once. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: readonly Buffer[];
  /**
   * Keeps this process from sleeping while it waits. Otherwise the kernel charges the server for
   * waking it, which on a virtual machine can cost more than the answer itself.
   */
  readonly spin: boolean;
  /** Closes the connections early; whoever waits for an answer is rejected. */
  readonly signal: AbortSignal;
}

/** An answer, and which of the load's requests it belongs to. */
export interface Reply {
  readonly request: number;
  readonly answer: Answer;
}

/** What came of a load. */
export interface Sample {
  readonly seconds: number;
  readonly count: number;
  /** CPU time of this process, user and system, while it sent and waited. */
  readonly cpuSeconds: number;
  /** Milliseconds from sending to the last byte of the answer, ascending. */
  readonly latencies: Float64Array;
  /** Answers with another status than 200. */
  readonly failures: number;
  readonly firstFailure: Reply | undefined;
  /** The last answer on each connection, to look into. */
  readonly lastReplies: readonly Reply[];
}

/** Whether it is enough, from what was sent and how long it took so far. */
export type Enough = (count: number, seconds: number) => boolean;

export const forSeconds =
  (limit: number): Enough =>
  (_count, seconds) =>
    seconds >= limit;

export const forRequests =
  (limit: number): Enough =>
  (count) =>
    count >= limit;

/** Adds up what happens to a server. */
class Tally {
  readonly #latencies: number[] = [];
  readonly #lastReplies = new Map<Connection, Reply>();
  #seconds = 0;
  #cpuSeconds = 0;
  #failures = 0;
  #firstFailure: Reply | undefined;

  record(connection: Connection, reply: Reply, latency: number): void {
    this.#latencies.push(latency);
    this.#lastReplies.set(connection, reply);
    if (reply.answer.status === 200) return;
    this.#failures += 1;
    this.#firstFailure ??= reply;
  }

  addTime(seconds: number, { user, system }: NodeJS.CpuUsage): void {
    this.#seconds += seconds;
    this.#cpuSeconds += (user + system) / 1e6;
  }

  sample(): Sample {
    return {
      seconds: this.#seconds,
      count: this.#latencies.length,
      cpuSeconds: this.#cpuSeconds,
      latencies: Float64Array.from(this.#latencies).toSorted(),
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      lastReplies: [...this.#lastReplies.values()],
    };
  }
}

/** Has the event loop turn without a pause until the returned function is called. */
function keepAwake(): () => void {
  let next: NodeJS.Immediate;
  const turn = () => {
    next = setImmediate(turn);
  };
  turn();
  return () => clearImmediate(next);
}

type NextRequest = () => readonly [index: number, bytes: Buffer];

/** Open connections to one server, through which requests flow when told to. */
export class Flow {
  readonly #load: Load;
  readonly #connections: readonly Connection[];
  readonly #nextRequest: NextRequest;
  readonly #tally = new Tally();
  readonly #onAbort = () => this.close();

  constructor(load: Load, connections: readonly Connection[], nextRequest: NextRequest) {
    this.#load = load;
    this.#connections = connections;
    this.#nextRequest = nextRequest;
    load.signal.addEventListener('abort', this.#onAbort);
  }

  /** Sends until it is enough, and waits for the last answer. Can be called again. */
  async push(enough: Enough): Promise<void> {
    const startedAt = performance.now();
    const usedBefore = process.cpuUsage();
    const passed = () => (performance.now() - startedAt) / 1000;
    let issued = 0;
    const more = () => !enough(issued++, passed());
    const stopSpinning = this.#load.spin ? keepAwake() : () => undefined;
    try {
      await Promise.all(this.#connections.map((connection) => this.#ask(connection, more)));
    } finally {
      stopSpinning();
    }
    this.#tally.addTime(passed(), process.cpuUsage(usedBefore));
  }

  /** What all pushes so far saw. */
  sample(): Sample {
    return this.#tally.sample();
  }

  close(): void {
    this.#load.signal.removeEventListener('abort', this.#onAbort);
    for (const connection of this.#connections) connection.close();
  }

  async #ask(connection: Connection, more: () => boolean): Promise<void> {
    while (more()) {
      const [request, bytes] = this.#nextRequest();
      const sentAt = performance.now();
      const answer = await connection.send(bytes);
      this.#tally.record(connection, { request, answer }, performance.now() - sentAt);
    }
  }
}

/**
 * Makes flows to one server. The place in the list of requests is kept between them, so the server
 * meets every session before it meets one again.
 */
export class LoadGenerator {
  readonly #load: Load;
  #next = 0;

  constructor(load: Load) {
    this.#load = load;
  }

  /** Whoever opens a flow closes it, soon: servers drop connections that are idle for seconds. */
  async open(): Promise<Flow> {
    const { port, connections, signal } = this.#load;
    signal.throwIfAborted();
    const opening = Array.from({ length: connections }, () => Connection.open(port));
    return new Flow(this.#load, await Promise.all(opening), () => this.#nextRequest());
  }

  #nextRequest(): ReturnType<NextRequest> {
    const { requests } = this.#load;
    const index = this.#next++ % requests.length;
    const bytes = requests[index];
    if (!bytes) throw new RangeError('a load needs at least one request');
    return [index, bytes];
  }
}
