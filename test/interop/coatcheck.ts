import { type JsonWebKey, randomBytes } from 'node:crypto';
import { Client } from '../support/client.ts';
import { type Served, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Trust } from './verifiers.ts';

export const AUDIENCE = 'https://api.example';
export const OTHER_AUDIENCE = 'https://other.example';

/** The real service in a process of its own, with somebody signed in, and what an API is told of it. */
export interface Coatcheck extends AsyncDisposable {
  readonly service: Served;
  readonly client: Client;
  readonly trust: Trust;
  /** The set at `/.well-known/jwks.json`. */
  publishedKeys(): Promise<JsonWebKey[]>;
}

export async function startCoatcheck(
  algorithm: string,
  profile: 'jwt' | 'rfc9068' = 'rfc9068',
  settings: Record<string, string> = {},
): Promise<Coatcheck> {
  const secret = () => randomBytes(64).toString('hex');
  const shared = algorithm.startsWith('HS') ? secret() : undefined;
  const directory = temporaryDirectory();
  const service = await serve({
    cwd: directory.path,
    env: {
      NODE_ENV: 'test',
      BYPASS_AUTH: 'true',
      SESSION_SECRET: secret(),
      JWT_ALGORITHM: algorithm,
      JWT_PROFILE: profile,
      JWT_AUDIENCE: `${AUDIENCE},${OTHER_AUDIENCE}`,
      ...(shared === undefined ? { KEY_ENCRYPTION_SECRET: secret() } : { JWT_SECRET_KEY: shared }),
      ...settings,
    },
  });
  const client = new Client(service.url);
  await client.get('/auth/bypass?token=ada');
  return {
    service,
    client,
    trust: {
      algorithm,
      typ: profile === 'jwt' ? 'JWT' : 'at+jwt',
      issuer: `http://localhost:${service.port}`,
      audience: AUDIENCE,
      ...(shared === undefined ? {} : { secret: shared }),
    },
    async publishedKeys() {
      const response = await fetch(`${service.url}/.well-known/jwks.json`);
      return ((await response.json()) as { keys: JsonWebKey[] }).keys;
    },
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}
