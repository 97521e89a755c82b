import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { get } from './request.ts';

/** Where a server was put. */
export interface Place {
  readonly port: number;
  /** Its working directory, empty at first and deleted at the end. */
  readonly directory: string;
}

/** How to start a server. */
export interface Recipe {
  readonly name: string;
  /** Script and arguments; the Node binary is always the one that runs the benchmark. */
  readonly command: readonly [script: string, ...args: string[]];
  /** The whole environment. The caller's own is kept out: a stray NODE_OPTIONS must not count. */
  readonly environment: (place: Place) => Readonly<Record<string, string>>;
  /** It is up when this path is answered with this status. */
  readonly ready: { readonly path: string; readonly status: number };
}

const startLimit = 20_000;
const stopLimit = 3_000;

/** A server in a process of its own. */
export class ServerProcess {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  readonly #child: ChildProcess;
  #startMilliseconds = Number.NaN;

  private constructor(name: string, place: Place, child: ChildProcess, pid: number) {
    this.name = name;
    this.port = place.port;
    this.pid = pid;
    this.#child = child;
    this.directory = place.directory;
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @throws Error with the end of what the server printed, when it stops or takes too long
   */
  static async start(recipe: Recipe, signal: AbortSignal): Promise<ServerProcess> {
    signal.throwIfAborted();
    const directory = await mkdtemp(path.join(tmpdir(), 'coatcheck-bench-'));
    const place = { port: await freePort(), directory };
    const spawnedAt = performance.now();
    const child = spawn(process.execPath, recipe.command, {
      cwd: directory,
      env: { ...recipe.environment(place) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const complaints = lastWords(child);
    killOnExit(child);
    const server = new ServerProcess(recipe.name, place, child, child.pid ?? 0);
    try {
      await server.#untilReady(recipe, signal);
      server.#startMilliseconds = performance.now() - spawnedAt;
      return server;
    } catch (error) {
      await server.stop();
      signal.throwIfAborted();
      throw new Error(`${recipe.name} did not start: ${complaints()}`, { cause: error });
    }
  }

  /** How long it took from spawning the process to its first answer that said that it is ready. */
  get startMilliseconds(): number {
    return this.#startMilliseconds;
  }

  /** Ends the server and deletes its directory. Safe to call twice. */
  async stop(): Promise<void> {
    if (!hasEnded(this.#child)) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const lastResort = setTimeout(() => this.#child.kill('SIGKILL'), stopLimit);
      await ended;
      clearTimeout(lastResort);
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #untilReady(recipe: Recipe, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + startLimit;
    const request = get(this.port, recipe.ready.path);
    while ((await statusOf(this.port, request)) !== recipe.ready.status) {
      if (hasEnded(this.#child)) throw new Error('it stopped');
      if (performance.now() > deadline) throw new Error(`not ready after ${startLimit} ms`);
      await sleep(10, undefined, { signal });
    }
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** Keeps the end of what a server prints to standard error. */
function lastWords(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-4_000);
  });
  child.on('error', (error) => (text += error.message));
  return () => text.trim() || 'it printed nothing';
}

/** Should the benchmark itself crash, no server outlives it. */
function killOnExit(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}

async function statusOf(port: number, request: Buffer): Promise<number | undefined> {
  try {
    const connection = await Connection.open(port);
    try {
      return (await connection.send(request)).status;
    } finally {
      connection.close();
    }
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port to be had');
  return address.port;
}
