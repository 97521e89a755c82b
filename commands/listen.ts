import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import net from 'node:net';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { followTls, readTls } from './tls.ts';

/** An address that cannot be listened on; the message tells the operator what to do. */
class ListenError extends Error {
  override readonly name = 'ListenError';
}

/**
 * How slow a client may be, in milliseconds: until its headers are there, its whole request, and until it reads on. No
 * request here has more than some kilobytes, and each connection that only waits is one that somebody else may want.
 */
const LIMITS = {
  headersTimeout: 8000,
  requestTimeout: 8000,
  connectionsCheckingInterval: 1000,
};
const HANDSHAKE_TIMEOUT = 8000;
const SILENCE = 60_000;

/**
 * Listens where the settings say.
 *
 * @throws {ListenError} when the address is taken, not allowed or not of this machine.
 * @throws {SettingsError} when the certificate or its key cannot be used.
 */
export async function listen(
  app: RequestListener,
  { host, port, tls }: Settings,
  log: Logger,
): Promise<Server> {
  const server = tls ? tlsServer(app, tls, log) : createServer(LIMITS, app);
  server.setTimeout(SILENCE);
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) => reject(listenError(error, host, port));
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  return server;
}

function tlsServer(app: RequestListener, files: NonNullable<Settings['tls']>, log: Logger): Server {
  const options = { ...LIMITS, ...readTls(files), handshakeTimeout: HANDSHAKE_TIMEOUT };
  const server = createTlsServer(options, app);
  followTls(server, files, log);
  return server;
}

/** What to do about the system's reasons not to listen there. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there. End that one, or set PORT to another port.',
  EACCES: 'this user may not. Set PORT to one from 1024 on.',
  EADDRNOTAVAIL: 'that is no address of this machine. Set HOST to one that is.',
  ENOTFOUND: 'no such host is known. Set HOST to an address of this machine.',
};

function listenError(error: Error, host: string, port: number): ListenError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const where = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  return new ListenError(`Cannot listen on ${where}: ${ADVICE[code] ?? error.message}`, {
    cause: error,
  });
}

/** How often connections without a request are looked for where they are cut, in milliseconds. */
const IDLE_SWEEP = 1000;

/**
 * Takes no new connection, lets the requests in flight finish, and resolves when every connection is closed.
 * A connection that is kept alive is not cut, as `http.Server.close` would: a request may be on its way on it. It
 * gets its answer, with `Connection: close`. One that stays silent is closed by the server's keep-alive timeout as on any
 * other day: a second after the moment from which, as each answer says, the client must not use it any more.
 *
 * @param patience milliseconds after which what is still open is cut
 * @param cutIdle cuts connections without a request after a second all the same: whoever waits for the end is a developer, or a test
 */
export async function drain(server: Server, patience: number, cutIdle = false): Promise<void> {
  const closed = new Promise((resolve) => net.Server.prototype.close.call(server, resolve));
  const sweep = cutIdle ? setInterval(() => server.closeIdleConnections(), IDLE_SWEEP) : undefined;
  const cut = setTimeout(() => server.closeAllConnections(), patience);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
