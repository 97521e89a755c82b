import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryDirectory } from './directory.ts';
import { freePort } from './free-port.ts';

/** A Redis of a test's own, which it may stop, fill and flush. Nothing of it is on a disk. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
  /** Runs a command with redis-cli. @returns what it printed */
  cli(...command: string[]): string;
  /** Ends it on the spot. It may be started again, on the same port and empty. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** @param options of redis-server, such as `--requirepass x` */
export async function startRedis(...options: string[]): Promise<RedisServer> {
  const directory = temporaryDirectory();
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function stop(): Promise<void> {
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    child = undefined;
  }

  async function start(): Promise<void> {
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir'];
    child = spawn('redis-server', [...own, directory.path, ...options], { stdio: 'ignore' });
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error('redis-server did not start');
      await pause(10);
    }
  }

  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli(...command) {
      const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(port), ...command], {
        encoding: 'utf8',
      });
      if (stderr !== '') throw new Error(stderr);
      return stdout.trimEnd();
    },
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop();
      directory[Symbol.dispose]();
    },
  };
  await start();
  return server;
}

/** Whether somebody listens on that port of 127.0.0.1. */
async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Skips what needs a Redis of its own where it is not installed; with REQUIRE_SERVICES=1 that fails instead. */
export function skipWithoutRedisServer(context: Mocha.Context): void {
  if (spawnSync('redis-server', ['--version']).status === 0) return;
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error('redis-server is not installed');
  context.skip(); // there is no redis-server here
}
