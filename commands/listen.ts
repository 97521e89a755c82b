import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import net from 'node:net';
import { SettingsError } from '../core/errors.ts';
import type { Settings } from '../config/settings.ts';

/** An address that cannot be listened on; the message tells the operator what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/**
 * Listens where the settings say.
 *
 * @throws {ListenError} when the address is taken, not allowed or not of this machine.
 * @throws {SettingsError} when the certificate or its key cannot be used.
 */
export async function listen(app: RequestListener, settings: Settings): Promise<Server> {
  const { host, port, tls } = settings;
  const server = tls ? tlsServer(app, tls) : createServer(app);
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

type Tls = NonNullable<Settings['tls']>;

function tlsServer(app: RequestListener, { certFile, keyFile }: Tls): Server {
  const cert = readPem('TLS_CERT_FILE', certFile);
  const key = readPem('TLS_KEY_FILE', keyFile);
  try {
    return createTlsServer({ cert, key }, app);
  } catch (error) {
    throw new SettingsError([
      `TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and the key that belongs to it, both PEM: ${reasonOf(error)}`,
    ]);
  }
}

function readPem(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingsError([`${name} cannot be read: ${reasonOf(error)}`]);
  }
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

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How often connections without a request are looked for while draining, in milliseconds. */
const IDLE_SWEEP = 1000;

/**
 * Takes no new connection, lets the requests in flight finish, and resolves when every connection is closed.
 * A connection that is kept alive is not cut at once, as `http.Server.close` would: a request may be on its
 * way on it. It gets its answer, with `Connection: close`; only those that stay silent are closed after a while.
 *
 * @param patience milliseconds after which what is still open is cut
 */
export async function drain(server: Server, patience: number): Promise<void> {
  const closed = new Promise((resolve) => net.Server.prototype.close.call(server, resolve));
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP);
  const cut = setTimeout(() => server.closeAllConnections(), patience);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
