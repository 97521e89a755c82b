import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { temporaryDirectory } from './directory.ts';
import { freePort } from './free-port.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** `coatcheck serve` as a process of its own, with a database of its own. */
export interface ServiceProcess extends AsyncDisposable {
  readonly port: number;
  /** `http://localhost:<port>`, which is its PUBLIC_URL too. */
  readonly url: string;
  /** What the process was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the process that was started still runs: nobody starts it again. */
  readonly alive: boolean;
  /** Everything that it wrote to standard output and standard error so far. */
  readonly written: () => string;
  /** All rows of a table as they are in the file now. */
  rows(table: 'users' | 'sessions' | 'status_entries'): Record<string, unknown>[];
  /** Resident memory in bytes. */
  memory(): Promise<number>;
}

/** @param environment settings over those of `.env.test`, as strings */
export async function startService(
  environment: Record<string, string> = {},
): Promise<ServiceProcess> {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'test.db');
  const port = await freePort();
  const { PATH = '', NODE_V8_COVERAGE } = process.env;
  const env = {
    PATH,
    ...(NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE }),
    NODE_ENV: 'test',
    LOG_LEVEL: 'trace',
    PORT: String(port),
    PUBLIC_URL: `http://localhost:${port}`,
    DATABASE_URL: `sqlite:${file}`,
    ...environment,
  };
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const child = spawn(process.execPath, ['bin/coatcheck.ts', 'serve'], {
    cwd: ROOT,
    env,
    stdio: [...stdio],
  });
  const chunks: string[] = [];
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: string) => {
      chunks.push(chunk);
      if (chunk.includes('Coatcheck is ready')) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    child.once('exit', () => reject(new Error(`the service did not start: ${chunks.join('')}`)));
  });
  return {
    port,
    url: `http://localhost:${port}`,
    environment: env,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    written: () => chunks.join(''),
    rows(table) {
      const database = new DatabaseSync(file, { readOnly: true });
      try {
        return database.prepare(`select * from ${table} order by 1`).all();
      } finally {
        database.close();
      }
    },
    async memory() {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(child.pid)]);
      return Number(stdout) * 1024;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      directory[Symbol.dispose]();
    },
  };
}
