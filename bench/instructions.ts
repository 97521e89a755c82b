import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/**
 * Counts the user-space instructions that a process executes while `work` runs. Where the machine
 * is shared this is the steadiest figure there is: it does not know how fast the clock ran.
 */
export type InstructionCounter = <T>(
  pid: number,
  work: () => Promise<T>,
) => Promise<{ readonly result: T; readonly instructions: number }>;

const event = 'instructions:u';

/**
 * The counter, if `perf` is installed, allowed and has hardware counters to read (most virtual
 * machines have none); otherwise undefined, and the column is left out.
 */
export async function instructionCounter(): Promise<InstructionCounter | undefined> {
  try {
    const { instructions } = await count(process.pid, () => Promise.resolve());
    return instructions > 0 ? count : undefined;
  } catch {
    return undefined;
  }
}

/** `perf` attaches with its counters off, and is told over two pipes when to count. */
const count: InstructionCounter = async (pid, work) => {
  const perf = spawn(
    'perf',
    ['stat', '-x', ',', '-e', event, '-D', '-1', '--control', 'fd:3,4', '-p', String(pid)],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
  );
  const ended = once(perf, 'close');
  ended.catch(() => undefined);
  const [, , report, orders, acknowledgements] = perf.stdio;
  if (!isReadable(report) || !isWritable(orders) || !isReadable(acknowledgements)) {
    throw new Error('perf was started without its pipes');
  }
  orders.on('error', () => undefined);
  const printed = collect(report);
  try {
    await order(orders, acknowledgements, ended, 'enable');
    const result = await work();
    await order(orders, acknowledgements, ended, 'disable');
    await finish(perf, ended);
    return { result, instructions: reading(printed()) };
  } finally {
    perf.kill('SIGKILL');
  }
};

async function order(
  orders: Writable,
  acknowledgements: Readable,
  ended: Promise<unknown>,
  word: 'enable' | 'disable',
): Promise<void> {
  const acknowledged = once(acknowledgements, 'data');
  orders.write(`${word}\n`);
  const tooEarly = ended.then(() => Promise.reject(new Error('perf ended early')));
  await Promise.race([acknowledged, tooEarly]);
}

/** On SIGINT perf prints what it counted, and ends. */
async function finish(perf: ChildProcess, ended: Promise<unknown>): Promise<void> {
  perf.kill('SIGINT');
  await ended;
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
