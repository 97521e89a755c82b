import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

/** A TCP balancer on 127.0.0.1: each connection goes to the next server, or to the one after when nobody listens there. */
export interface Balancer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
}

/** @param targets ports of 127.0.0.1 */
export async function startBalancer(targets: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;

  async function upstream(): Promise<Socket | undefined> {
    for (const _ of targets) {
      const socket = createConnection(targets[turn % targets.length] ?? 0, '127.0.0.1');
      turn += 1;
      try {
        await once(socket, 'connect');
        return socket;
      } catch {
        // nobody listens there
      }
    }
    return undefined;
  }

  const server = createServer({ pauseOnConnect: true }, (client) => void join(client));

  async function join(client: Socket): Promise<void> {
    const other = await upstream();
    if (other === undefined) return void client.destroy();
    for (const [socket, peer] of [
      [client, other],
      [other, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => undefined); // it closes then
      socket.on('close', () => {
        open.delete(socket);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
