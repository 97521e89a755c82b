import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import net from 'node:net';
import type { Settings } from '../config/settings.ts';

/** Listens where the settings say. Rejects with the system's error when the address is taken or not ours. */
export async function listen(app: RequestListener, { host, port, tls }: Settings): Promise<Server> {
  const server = tls
    ? createTlsServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }, app)
    : createServer(app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
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
