import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { createClient, type RedisClientType } from '@redis/client';

const SHARED = 'redis://127.0.0.1:6379';

/** Keys of a test's own in the Redis that all tests share; gone when the test is over. */
export interface RedisKeys extends AsyncDisposable {
  /** What `SESSION_STORE_URL` may be. */
  readonly url: string;
  readonly prefix: string;
  readonly client: RedisClientType;
  /** All keys that are there, without their prefix. */
  names(): Promise<string[]>;
}

/** @param server another Redis than the shared one */
export async function redisKeys(server = SHARED): Promise<RedisKeys> {
  const prefix = `coatcheck-test-${randomUUID()}:`;
  const client = createClient({ url: server });
  client.on('error', () => undefined); // who runs a command is told
  await client.connect();
  const pages = () => client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 });
  return {
    url: `${server}?prefix=${prefix}`,
    prefix,
    client,
    async names() {
      const found: string[] = [];
      for await (const page of pages()) found.push(...page.map((key) => key.slice(prefix.length)));
      return found;
    },
    async [Symbol.asyncDispose]() {
      for await (const page of pages()) if (page.length > 0) await client.unlink(page);
      client.destroy();
    },
  };
}

/** For `before`: skips where no Redis answers at 127.0.0.1:6379; with REQUIRE_SERVICES=1 that fails instead. */
export async function skipWithoutRedis(context: Mocha.Context): Promise<void> {
  const socket = createConnection(6379, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (process.env['REQUIRE_SERVICES'] === '1') throw error;
    context.skip(); // no Redis answers at 127.0.0.1:6379
  } finally {
    socket.destroy();
  }
}
