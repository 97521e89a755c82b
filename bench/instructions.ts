import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/**
 * Counts the user-space instructions that each of some processes executes while `work` runs. On a
 * shared machine this is the steadiest figure there is: it does not know how fast the clock ran.
 */
export type InstructionCounter = (
  pids: readonly number[],
  work: () => Promise<void>,
) => Promise<readonly number[]>;

const event = 'instructions:u';

/**
 * The counter, if `perf` is installed, allowed and has hardware counters to read (most virtual
 * machines have none); otherwise undefined, and the column is left out.
 */
export async function instructionCounter(): Promise<InstructionCounter | undefined> {
  try {
    const [instructions = 0] = await count([process.pid], () => Promise.resolve());
    return instructions > 0 ? count : undefined;
  } catch {
    return undefined;
  }
}

const count: InstructionCounter = async (pids, work) => {
  const counters = pids.map((pid) => new Perf(pid));
  try {
    await Promise.all(counters.map((counter) => counter.order('enable')));
    await work();
    await Promise.all(counters.map((counter) => counter.order('disable')));
    return await Promise.all(counters.map((counter) => counter.finish()));
  } finally {
    for (const counter of counters) counter.kill();
  }
};

/** One `perf stat`: it attaches with its counter off, and is told over two pipes when to count. */
class Perf {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #orders: Writable;
  readonly #acknowledgements: Readable;
  readonly #printed: () => string;

  constructor(pid: number) {
    this.#process = spawn(
      'perf',
      ['stat', '-x', ',', '-e', event, '-D', '-1', '--control', 'fd:3,4', '-p', String(pid)],
      { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    );
    this.#ended = once(this.#process, 'close');
    this.#ended.catch(() => undefined);
    const [, , report, orders, acknowledgements] = this.#process.stdio;
    if (!isReadable(report) || !isWritable(orders) || !isReadable(acknowledgements)) {
      throw new Error('perf was started without its pipes');
    }
    orders.on('error', () => undefined);
    this.#orders = orders;
    this.#acknowledgements = acknowledgements;
    this.#printed = collect(report);
  }

  /** @throws Error when perf ends instead of obeying */
  async order(word: 'enable' | 'disable'): Promise<void> {
    const acknowledged = once(this.#acknowledgements, 'data');
    this.#orders.write(`${word}\n`);
    const tooEarly = this.#ended.then(() => Promise.reject(new Error('perf ended early')));
    await Promise.race([acknowledged, tooEarly]);
  }

  /** On SIGINT perf prints what it counted, and ends. */
  async finish(): Promise<number> {
    this.#process.kill('SIGINT');
    await this.#ended;
    return reading(this.#printed());
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

function reading(report: string): number {
  const line = report.split('\n').find((text) => text.includes(event));
  const value = Number.parseFloat(line ?? '');
  if (Number.isNaN(value)) throw new Error('perf counted nothing');
  return value;
}

function collect(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

function isReadable(stream: object | null | undefined): stream is Readable {
  return stream instanceof Object && 'read' in stream;
}

function isWritable(stream: object | null | undefined): stream is Writable {
  return stream instanceof Object && 'write' in stream;
}
