import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryDirectory } from './directory.ts';
import { freePort } from './free-port.ts';

/** The repository. */
export const ROOT = join(import.meta.dirname, '..', '..');

export const PROGRAM = join(ROOT, 'bin', 'coatcheck.ts');

export interface Surroundings {
  /** Where the process runs: its `.env` and its `data/` are there. */
  cwd: string;
  /** The whole environment besides PATH and HOME. */
  env?: Record<string, string>;
  /** The program; left out, the one of this repository. */
  program?: string;
  /** What runs instead of Node with the program, before the arguments. */
  command?: readonly string[];
  /** When the process is killed at the latest, in milliseconds: one that a test forgot must not outlive it for long. */
  longest?: number;
}

/** How a process ended, and everything it said. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command of Coatcheck to its end. Standard input is empty unless given, and never a terminal.
 * @param killed when it is killed if it is still running; its code is `null` then
 */
export async function run(
  args: readonly string[],
  {
    stdin = '',
    killed,
    ...surroundings
  }: Surroundings & { stdin?: string; killed?: Promise<unknown> },
): Promise<Outcome> {
  const child = start(args, surroundings);
  void killed?.then(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined); // it may end without having read everything
  child.stdin.end(stdin);
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

/** A running service in a process of its own; killed when the test leaves the block. */
export interface Served extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at the end; `https:` where it has a certificate. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Standard output and error so far. */
  output(): Outcome;
  /** Resolves when it answers requests. */
  ready(): Promise<void>;
  /** Resolves when the process has said that, on whichever of the two. */
  said(pattern: RegExp): Promise<void>;
  /** Resolves when that has come about. @throws when the process ends before */
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>;
  /** How it ended, when it has. */
  readonly exited: Promise<Outcome>;
}

/** Starts `coatcheck serve` on a free port, and does not wait for anything. */
export async function launch(surroundings: Surroundings): Promise<Served> {
  const port = await freePort();
  const env = { PORT: String(port), ...surroundings.env };
  const child = start(['serve'], { ...surroundings, env });
  child.stdin.end();
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (more: string) => (said[name] += more));
  }
  const exited = once(child, 'close').then(() => ({ code: child.exitCode, ...said }));
  const scheme = 'TLS_CERT_FILE' in env ? 'https' : 'http';
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    output: () => ({ code: child.exitCode, ...said }),
    async said(pattern) {
      await until(() => pattern.test(said.stdout + said.stderr), child);
    },
    until: (condition) => until(condition, child),
    signal: (signal) => void child.kill(signal),
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
    ready: () => until(() => isReady(`${scheme}://127.0.0.1:${port}`), child),
  };
}

/**
 * Starts `coatcheck serve` on a free port and waits until it is ready.
 * @throws with everything it said, when it ends before that
 */
export async function serve(surroundings: Surroundings): Promise<Served> {
  const served = await launch(surroundings);
  await served.ready().catch(async (error: unknown) => {
    const outcome = await served.stop('SIGKILL');
    throw new Error(`the service did not get ready: ${JSON.stringify(outcome)}`, { cause: error });
  });
  return served;
}

function start(args: readonly string[], { cwd, env, program = PROGRAM, ...more }: Surroundings) {
  const [command = '', ...words] = more.command ?? [process.execPath, program];
  return spawn(command, [...words, ...args], {
    cwd,
    env: cleanEnvironment(env),
    timeout: more.longest ?? 180_000,
    killSignal: 'SIGKILL',
  });
}

/** PATH and HOME, and a variable of Node's that makes the children count for c8, or else start in half the time. */
export function cleanEnvironment(env: Record<string, string> = {}): Record<string, string> {
  const { PATH = '', HOME = '', NODE_V8_COVERAGE } = process.env;
  const forNode: Record<string, string> =
    NODE_V8_COVERAGE === undefined ? { NODE_COMPILE_CACHE: compileCache() } : { NODE_V8_COVERAGE };
  return { PATH, HOME, ...forNode, ...env };
}

let sharedCache: string | undefined;

/** A directory for all children of this run, gone with it. */
function compileCache(): string {
  if (sharedCache === undefined) {
    const directory = temporaryDirectory();
    process.once('exit', () => directory[Symbol.dispose]());
    sharedCache = directory.path;
  }
  return sharedCache;
}

/** Does all of it, two at a time: as many as the smallest machine has cores. */
export async function inTurns<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const turn = async (): Promise<void> => {
    const item = rest.shift();
    if (item === undefined) return;
    await work(item);
    await turn();
  };
  await Promise.all([turn(), turn()]);
}

/** Asks again and again, as an orchestrator does. @throws when the process ends or half a minute has passed. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  child: Pick<ChildProcess, 'exitCode' | 'signalCode'>,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the process ended');
    if (performance.now() > deadline) throw new Error('that did not happen within a minute');
    await delay(5);
  }
}

function isReady(url: string): Promise<boolean> {
  const get = url.startsWith('https:') ? httpsGet : httpGet;
  return new Promise((resolve) => {
    const request = get(
      `${url}/readyz`,
      { agent: false, rejectUnauthorized: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on('error', () => resolve(false));
  });
}

/** The JSON lines of a log. */
export function logLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): Record<string, unknown> => {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? { ...value } : {};
    });
}
