import { type JsonWebKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** Where an API ends up that follows the addresses in a token: on this machine, and nowhere else. */
export interface Listener extends AsyncDisposable {
  /** The address for an attempt of that name. Nobody can guess it. */
  addressFor(attempt: string): string;
  /** Whether anybody has been there. */
  wasCalledFor(attempt: string): boolean;
}

/** @param jwk the attacker's key: what it is looking for, an API gets, so that it goes on to accept the token */
export async function openListener(jwk: JsonWebKey): Promise<Listener> {
  const nonce = randomBytes(16).toString('hex');
  const called = new Set<string>();
  let origin = '';
  const server = createServer((req, res) => {
    const attempt = new RegExp(`/${nonce}/([a-z0-9-]+)`).exec(req.url ?? '')?.[1];
    if (attempt === undefined) {
      res.writeHead(404).end();
      return;
    }
    called.add(attempt);
    const issuer = `${origin}/${nonce}/${attempt}`;
    const wantsMetadata = req.url?.includes('/.well-known/o') === true;
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(
      JSON.stringify(wantsMetadata ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [jwk] }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('no port to listen on');
  origin = `http://127.0.0.1:${address.port}`;
  return {
    addressFor: (attempt) => `${origin}/${nonce}/${attempt}`,
    wasCalledFor: (attempt) => called.has(attempt),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
