import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino, { type Logger } from 'pino';
import { createApp } from '../../app.ts';
import { createServices, type Services } from '../../config/services.ts';
import { loadSettings, type Settings } from '../../config/settings.ts';
import { createWebServices, type WebServices } from '../../config/web-services.ts';
import type { Clock } from '../../core/clock.ts';
import { Client } from './client.ts';
import { TestClock } from './clock.ts';
import { temporaryDirectory } from './directory.ts';

/** The service as it is, listening on a free port of 127.0.0.1, with a database of its own and a clock to move. */
export interface TestApp extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly server: Server;
  readonly services: WebServices;
  readonly clock: TestClock;
  /** Everything that was logged so far, JSON lines. */
  readonly logged: () => string;
  /** A caller with a cookie jar of its own. */
  client(): Client;
}

/**
 * @param environment settings over those of `.env.test`, as strings
 * @param port where PUBLIC_URL has to name the port that is listened on; 0, any free one
 */
export async function startApp(
  environment: Record<string, string> = {},
  { clock = new TestClock(), port = 0 }: { clock?: TestClock; port?: number } = {},
): Promise<TestApp> {
  const directory = temporaryDirectory();
  const settings = loadSettings({
    NODE_ENV: 'test',
    DATABASE_URL: `sqlite:${directory.path}/test.db`,
    ...environment,
  });
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const services = await openServices(settings, clock, log).catch((error: unknown) => {
    directory[Symbol.dispose]();
    throw error;
  });
  const server = createServer(createApp(services));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    server,
    services,
    clock,
    logged: () => lines.join(''),
    client: () => new Client(url),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await services[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

/** The same service on another port, over the same stores, with some of its parts exchanged. */
export async function startBeside(
  { services }: TestApp,
  parts: Partial<Services>,
): Promise<Pick<TestApp, 'client'> & AsyncDisposable> {
  const web = await createWebServices({ ...services, ...parts }, async () => undefined);
  const server = createServer(createApp(web));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    client: () => new Client(url),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}

async function openServices(settings: Settings, clock: Clock, log: Logger): Promise<WebServices> {
  const services = await createServices(settings, { clock, log });
  return createWebServices(services, async () => undefined).catch(async (error: unknown) => {
    await services[Symbol.asyncDispose]();
    throw error;
  });
}

/** A password that the policy takes. */
export const PASSWORD = 'a gull stole my umbrella';

/** Adds a user with `PASSWORD`. */
export async function addUser(
  { services }: TestApp,
  username: string,
  more: { email?: string; name?: string; roles?: string[] } = {},
) {
  const passwordHash = await services.passwords.hash(PASSWORD);
  return services.users.add({ username, passwordHash, ...more });
}

/** A client that is signed in through the bypass. */
export async function signIn(app: TestApp, username: string): Promise<Client> {
  const client = app.client();
  const response = await client.get(`/auth/bypass?token=${encodeURIComponent(username)}`);
  if (response.status !== 200) throw new Error(`bypass answered ${response.status}`);
  return client;
}
