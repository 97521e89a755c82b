/**
 * The whole way, with real HTTP: a session, a token for it, what is in the token, who accepts it and who does not.
 * Starts the service on a free port with a database that is thrown away. Run it with: npm run demo
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';

const COATCHECK = join(import.meta.dirname, '..', 'bin', 'coatcheck.ts');
const PASSWORD = 'seven wet umbrellas';

const directory = mkdtempSync(join(tmpdir(), 'coatcheck-demo-'));
const port = await freePort();
const url = `http://localhost:${port}`;
const environment = {
  PATH: process.env['PATH'],
  NODE_ENV: 'development',
  BYPASS_AUTH: 'true',
  HOST: '127.0.0.1',
  PORT: String(port),
  PUBLIC_URL: url,
  DATABASE_URL: `sqlite:${join(directory, 'demo.db')}`,
  SESSION_SECRET: randomBytes(64).toString('hex'),
  JWT_SECRET_KEY: randomBytes(64).toString('hex'),
  LOG_LEVEL: 'silent',
};

let steps = 0;
const service = coatcheck('serve');
process.once('SIGINT', () => service.kill());
try {
  await ready();
  await demo();
} finally {
  service.kill();
  if (service.exitCode === null) await once(service, 'exit');
  rmSync(directory, { recursive: true, force: true });
}

async function demo(): Promise<void> {
  step('Nobody is signed in: there is nothing to exchange');
  await call('GET', '/auth/token', {}, 401);

  step('On a developer’s machine, be someone with one click');
  const bypass = await call('GET', '/auth/bypass?token=admin', {}, 200);
  const cookie = cookieOf(bypass);
  note(`session cookie: ${shortened(cookie)}`);

  step('Exchange the session for a token');
  const { token } = await call('GET', '/auth/token', { cookie }, 200);
  note(`token: ${shortened(token)}`);

  step('Take the token apart: it is signed, not encrypted');
  const [header = '', claims = '', signature = ''] = token.split('.');
  print(decoded(header));
  print(decoded(claims));
  const lasts = numberIn(claims, 'exp') - numberIn(claims, 'iat');
  note(`exp - iat = ${lasts} seconds, that is ${lasts / 3600} hours`);

  step('An API that gets the token knows who asks');
  await call('GET', '/auth/me', { token }, 200);

  step('The same token with one letter of its claims changed');
  const letter = claims[20] === 'A' ? 'B' : 'A';
  const altered = [header, claims.slice(0, 20) + letter + claims.slice(21), signature].join('.');
  await call('GET', '/auth/me', { token: altered }, 401);

  step('Add a user with a password, and log in as that user');
  const added = coatcheck('user', 'add', 'ada', '--name', 'Ada Lovelace', '--roles', 'editor');
  added.stdin?.end(`${PASSWORD}\n`);
  await once(added, 'exit');
  note('with a wrong password:');
  await call('POST', '/auth/login', { body: { username: 'ada', password: 'a wrong guess' } }, 401);
  note('with the right one, and the name in another case:');
  const login = await call(
    'POST',
    '/auth/login',
    { body: { username: 'Ada', password: PASSWORD } },
    200,
  );

  step('Log out, and try to exchange the session once more');
  await call('POST', '/auth/logout', { cookie: cookieOf(login) }, 204);
  await call('GET', '/auth/token', { cookie: cookieOf(login) }, 401);

  step(
    'The token that was issued before died with the session; other APIs learn it within a minute',
  );
  await call('GET', '/auth/me', { token: login.token }, 401);

  print('');
  print(styleText('green', 'That is all of it. Now: npm start'));
}

interface Answer {
  token: string;
  setCookie: string;
}

interface Given {
  cookie?: string;
  token?: string;
  body?: Record<string, string>;
}

/** Sends a request, shows it and its answer, and stops the demo if the status is not the expected one. */
async function call(method: string, path: string, given: Given, expected: number): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (given.cookie !== undefined) headers['Cookie'] = given.cookie;
  if (given.token !== undefined) headers['Authorization'] = `Bearer ${given.token}`;
  if (given.body !== undefined) headers['Content-Type'] = 'application/json';
  print(styleText('cyan', `${method} ${path}`));
  for (const [name, value] of Object.entries(headers))
    print(styleText('dim', `${name}: ${shortened(value)}`));
  const response = await fetch(url + path, {
    method,
    headers,
    ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
  });
  const body = await response.text();
  print(styleText(response.ok ? 'green' : 'yellow', `${response.status} ${response.statusText}`));
  if (body !== '') print(body.replace(/[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}/g, shortened));
  if (response.status !== expected) throw new Error(`expected ${expected}`);
  const token = /"token":"([^"]+)"/.exec(body)?.[1] ?? '';
  return {
    token,
    setCookie: response.headers.getSetCookie().find((one) => one.startsWith('session=')) ?? '',
  };
}

function cookieOf({ setCookie }: Answer): string {
  return setCookie.split(';')[0] ?? '';
}

function coatcheck(...args: string[]): ChildProcess {
  return spawn(process.execPath, [COATCHECK, ...args], {
    cwd: directory,
    env: environment,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

/** Asks until the service answers, or has ended. */
async function ready(): Promise<void> {
  while (service.exitCode === null) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the service did not start');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function decoded(part: string): string {
  return JSON.stringify(JSON.parse(Buffer.from(part, 'base64url').toString()), null, 2);
}

function numberIn(part: string, claim: string): number {
  return Number(new RegExp(`"${claim}": (\\d+)`).exec(decoded(part))?.[1]);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 40)}…${text.slice(-12)}` : text;
}

function step(title: string): void {
  steps += 1;
  print('');
  print(styleText('bold', `${steps}. ${title}`));
}

function note(text: string): void {
  print(styleText('dim', text));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
