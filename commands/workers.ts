import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createLog } from '../config/log.ts';
import type { Settings } from '../config/settings.ts';
import { monotonic } from '../core/clock.ts';
import { firstFault, firstSignal, onReload, PATIENCE } from './stopping.ts';
import { DRAIN, UNREADY } from './worker.ts';

/** How long until a worker that died gets a successor, in milliseconds: twice as long each time, until one lasts. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;
const LASTING = 60_000;

/** How long a new worker may take until it listens, in milliseconds, before a rolling restart is given up. */
const START_LIMIT = 60_000;

/** How much longer than `PATIENCE` a worker may take to end, in milliseconds, before it is killed. */
const TO_CLOSE = 5000;

/**
 * Runs `WORKERS` processes that share the port, replaces those that die, and ends them one after another at SIGTERM or
 * SIGINT. SIGHUP replaces all of them without a gap. If the first cannot start, its exit code is this one's too.
 */
export async function runWorkers(settings: Settings): Promise<void> {
  const log = createLog(settings.logLevel, true);
  const crew = new Crew(settings, log);
  const told = Promise.race([firstSignal(log, () => crew.kill()), firstFault(log)]);
  onReload(() => crew.roll());
  process.exitCode = (await Promise.race([crew.start(), told])) ?? (await told);
  await crew.stop();
  log.info('stopped');
}

/** How a worker ended, for the log. */
interface Ending {
  readonly worker: number | undefined;
  readonly code: number | null;
  readonly signal: string | null;
  /** In its own words. */
  readonly why?: string | undefined;
}

/** A place for one worker. */
interface Post {
  worker: Worker;
  /** How many died here soon after their start, one after another. */
  deaths: number;
  successor?: NodeJS.Timeout;
}

class Crew {
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #posts: Post[] = [];
  readonly #listening = new WeakSet<Worker>();
  readonly #lastWords = new WeakMap<Worker, string>();
  #stopping = false;
  #rollWaits = false;
  /** What is done to all of them, one thing after another. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(settings: Settings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
    cluster.schedulingPolicy = cluster.SCHED_RR;
  }

  /** @returns the exit code if the first cannot start */
  start(): Promise<number | undefined> {
    const started = this.#start();
    this.#work = started;
    return started;
  }

  /** The first alone, which brings the tables up to date, then the others. */
  async #start(): Promise<number | undefined> {
    const first = this.#fork();
    const ending = await this.#untilListening(first);
    if (ending !== undefined) return ending.code ?? 1;
    this.#appoint(first);
    while (this.#posts.length < this.#settings.workers && !this.#stopping) {
      this.#appoint(this.#fork());
    }
    return undefined;
  }

  /** What is where and how many is the primary's, for all of its life; the rest each worker reads anew. */
  #fork(): Worker {
    const { host, port, workers } = this.#settings;
    const worker = cluster.fork({ HOST: host, PORT: String(port), WORKERS: String(workers) });
    worker.once('listening', () => this.#listening.add(worker));
    worker.on('message', (words: unknown) => this.#lastWords.set(worker, String(words)));
    worker.on('error', (error) => {
      this.#log.warn({ err: error }, 'a worker cannot be reached');
      if (worker.process.pid === undefined) worker.emit('exit', 1, null); // it could not even be started
    });
    return worker;
  }

  #appoint(worker: Worker): void {
    const post = { worker, deaths: 0 };
    this.#posts.push(post);
    this.#watch(post);
  }

  #onEnd(worker: Worker, then: (ending: Ending) => void): void {
    worker.once('exit', (code: number | null, signal: string | null) =>
      then({ worker: worker.process.pid, code, signal, why: this.#lastWords.get(worker) }),
    );
  }

  /** Replaces the worker of a post when it dies, unless it is not the post's any more. */
  #watch(post: Post): void {
    const { worker } = post;
    const begun = monotonic();
    this.#onEnd(worker, (ending) => {
      if (this.#stopping || post.worker !== worker) return;
      post.deaths = monotonic() - begun < LASTING ? post.deaths + 1 : 1;
      const pause = Math.min(FIRST_PAUSE * 2 ** (post.deaths - 1), LONGEST_PAUSE);
      this.#log.error({ ...ending, pause }, 'a worker died, and is replaced');
      post.successor = setTimeout(() => {
        post.worker = this.#fork();
        this.#watch(post);
      }, pause);
    });
  }

  /** @returns how it ended, if it did before it listened */
  #untilListening(worker: Worker): Promise<Ending | undefined> {
    return new Promise((resolve) => {
      worker.once('listening', () => resolve(undefined));
      this.#onEnd(worker, resolve);
    });
  }

  /** Replaces all workers, each when its successor listens. One that does not get that far ends it: the others stay. */
  roll(): void {
    if (this.#rollWaits) return; // one that begins later does for both
    this.#rollWaits = true;
    this.#work = this.#work.then(() => {
      this.#rollWaits = false;
      return this.#replaceAll();
    });
  }

  async #replaceAll(): Promise<void> {
    if (this.#stopping) return;
    this.#log.info('restarting the workers, one after another');
    for (const post of this.#posts) {
      const worker = this.#fork();
      const late = setTimeout(() => worker.process.kill('SIGKILL'), START_LIMIT);
      const ending = await this.#untilListening(worker);
      clearTimeout(late);
      if (this.#stopping) return;
      if (ending !== undefined) {
        this.#log.error(
          ending,
          'the restart is given up: a new worker could not start. The workers that are there go on',
        );
        return;
      }
      const predecessor = post.worker;
      clearTimeout(post.successor);
      Object.assign(post, { worker, deaths: 0 });
      this.#watch(post);
      await this.#retire(predecessor);
      if (this.#stopping) return;
    }
    this.#log.info('all workers have been restarted');
  }

  /** Lets a worker finish what it has begun, and resolves when it is gone. */
  async #retire(worker: Worker): Promise<void> {
    if (worker.isDead()) return;
    const gone = once(worker, 'exit');
    if (this.#listening.has(worker)) tell(worker, DRAIN);
    else worker.process.kill('SIGKILL');
    const late = setTimeout(() => {
      this.#log.error({ worker: worker.process.pid }, 'a worker does not end, and is killed');
      worker.process.kill('SIGKILL');
    }, PATIENCE + TO_CLOSE);
    await gone;
    clearTimeout(late);
  }

  /**
   * Ends all workers: none asks for requests any more, and one after another finishes its own. Whoever takes long is
   * not waited for until the next begins, so that many workers end nearly as soon as one.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const post of this.#posts) clearTimeout(post.successor);
    const workers = alive();
    for (const worker of workers) tell(worker, UNREADY);
    const leaving: Promise<void>[] = [];
    for (const worker of workers) {
      const left = this.#retire(worker);
      leaving.push(left);
      await Promise.race([left, delay(PATIENCE / workers.length, undefined, { ref: false })]);
    }
    await Promise.all(leaving);
  }

  /** Ends all workers at once. */
  kill(): void {
    for (const worker of alive()) worker.process.kill('SIGKILL');
  }
}

function alive(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

/** Whoever is not there any more to be told is ending already. */
function tell(worker: Worker, order: string): void {
  worker.send(order, () => undefined);
}
