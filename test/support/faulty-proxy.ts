import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What happens on the way: nothing; answers that come late; connections that break; or silence. */
export type Fault = 'none' | 'delay' | 'reset' | 'swallow';

/** A TCP proxy in front of a server on 127.0.0.1 that misbehaves when told to, for new and old connections alike. */
export interface FaultyProxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections there have been. */
  readonly connections: number;
  /** @param delay of each answer, in milliseconds, with `delay` */
  misbehave(fault: Fault, delay?: number): void;
}

export async function startFaultyProxy(target: number): Promise<FaultyProxy> {
  const open = new Set<Socket>();
  let fault: Fault = 'none';
  let delay = 0;
  let connections = 0;

  const server = createServer((client) => {
    connections += 1;
    if (fault === 'reset') {
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection(target, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => undefined); // it closes then
      socket.on('close', () => {
        open.delete(socket);
        if (fault !== 'swallow') other.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (fault !== 'swallow') upstream.write(chunk);
    });
    upstream.on('data', (chunk) => void answer(client, chunk));
  });

  async function answer(client: Socket, chunk: Buffer): Promise<void> {
    if (fault === 'delay') await pause(delay);
    if (fault !== 'swallow' && client.writable) client.write(chunk);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    get connections() {
      return connections;
    },
    misbehave(next, milliseconds = 0) {
      fault = next;
      delay = milliseconds;
      if (fault === 'reset') for (const socket of open) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
