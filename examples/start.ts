/**
 * A service, an API that takes its tokens, and a single-page app that has them, each on its own origin. Everything is
 * thrown away at the end. Run it with: npm run example
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, styleText } from 'node:util';

const root = join(import.meta.dirname, '..');
const coatcheck = join(root, 'bin', 'coatcheck.ts');
const { values: ports } = parseArgs({
  options: {
    service: { type: 'string', default: '3000' },
    api: { type: 'string', default: '4000' },
    app: { type: 'string', default: '5173' },
  },
});
const service = `http://localhost:${ports.service}`;
const api = `http://localhost:${ports.api}`;
const app = `http://localhost:${ports.app}`;

const directory = mkdtempSync(join(tmpdir(), 'coatcheck-example-'));
const settings = {
  PATH: process.env['PATH'],
  NODE_ENV: 'development',
  PORT: ports.service,
  CORS_ORIGINS: app,
  DATABASE_URL: `sqlite:${join(directory, 'example.db')}`,
  SESSION_SECRET: randomBytes(64).toString('hex'),
  JWT_ALGORITHM: 'ES256',
  KEY_ENCRYPTION_SECRET: randomBytes(64).toString('hex'),
  JWT_EXPIRES_IN: '2m', // short, so that one can watch it being replaced
  LOG_LEVEL: 'warn',
};

const running: ChildProcess[] = [];
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
try {
  await addUser('ada', 'editor');
  await addUser('grace', 'admin');
  start('service', [coatcheck, 'serve'], settings, directory);
  start('api', ['examples/api/server.ts'], { PORT: ports.api, ISSUER: service, APP: app });
  const vite = ['examples/spa', '--config', 'examples/spa/vite.config.ts', '--strictPort'];
  start('app', ['node_modules/vite/bin/vite.js', ...vite, '--port', ports.app], {
    SERVICE: service,
    API: api,
  });
  await ready([`${service}/readyz`, `${api}/orders`, `${app}/`]);
  print(`Open ${styleText('cyan', app)}. ada is an editor, grace an admin; both have the`);
  print('password: seven wet umbrellas. Ctrl-C ends everything.');
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
} catch (error) {
  if (!ended.signal.aborted) throw error;
} finally {
  const alive = running.filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null);
  for (const child of alive) child.kill();
  await Promise.all(alive.map((child) => once(child, 'exit')));
  rmSync(directory, { recursive: true, force: true });
}

async function addUser(username: string, role: string): Promise<void> {
  const command = spawn(process.execPath, [coatcheck, 'user', 'add', username, '--roles', role], {
    cwd: directory,
    env: settings,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  command.stdin.end('seven wet umbrellas\n');
  await once(command, 'exit');
  if (command.exitCode !== 0) throw new Error(`${username} could not be added`);
}

/** Starts a process whose lines carry its name. If it ends by itself, everything does. */
function start(
  name: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  cwd = root,
): void {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => print(`${styleText('dim', `[${name}]`)} ${line}`));
  }
  child.once('exit', () => {
    if (ended.signal.aborted) return;
    process.exitCode = 1;
    print(`${name} has ended. Is its port taken? There are --service, --api and --app for others.`);
    ended.abort();
  });
}

/** Waits until each of them answers something. */
async function ready(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    while (
      !(await fetch(url).then(
        ({ status }) => status < 500,
        () => false,
      ))
    ) {
      ended.signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
