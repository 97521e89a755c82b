import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { deflateSync } from 'node:zlib';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { freePort } from '../support/free-port.ts';
import type { Trust } from './verifiers.ts';

type Json = Record<string, unknown>;

/** The index of a token that has been revoked. */
export const REVOKED = 9;

/** An issuer as Coatcheck is one, whose private key the test has: it signs what Coatcheck would not. */
export interface OwnIssuer extends AsyncDisposable {
  readonly trust: Trust;
  /** A token with these claims in place of the usual ones; `undefined` leaves one out. */
  token(claims?: Json, header?: Json): Promise<string>;
}

export async function startOwnIssuer(algorithm: string, typ: string): Promise<OwnIssuer> {
  const secret = randomUUID() + randomUUID();
  const pair = algorithm.startsWith('HS') ? undefined : await generateKeyPair(algorithm);
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const audience = 'https://api.example';

  const sign = (claims: Json, header: Json) =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: algorithm, kid: 'k1', ...header })
      .sign(pair?.privateKey ?? Buffer.from(secret));

  const now = () => Math.floor(Date.now() / 1000);
  async function statusList(sub: string): Promise<string> {
    const lst = deflateSync(Uint8Array.from([0, 1 << (REVOKED - 8)])).toString('base64url');
    const claims = {
      iss: issuer,
      sub,
      iat: now(),
      exp: now() + 300,
      status_list: { bits: 1, lst },
    };
    return sign(claims, { typ: 'statuslist+jwt' });
  }

  const jwk = pair && {
    ...(await exportJWK(pair.publicKey)),
    kid: 'k1',
    alg: algorithm,
    use: 'sig',
  };
  const jwks_uri = `${issuer}/.well-known/jwks.json`;
  const list = `${issuer}/status-lists/1`;
  const documents: Record<string, () => string | Promise<string>> = {
    '/.well-known/jwks.json': () => JSON.stringify({ keys: jwk ? [jwk] : [] }),
    '/.well-known/openid-configuration': () => JSON.stringify({ issuer, jwks_uri }),
    '/status-lists/1': () => statusList(list),
    '/status-lists/of-another': () => statusList(list),
    '/status-lists/altered': async () => (await statusList(`${issuer}/status-lists/altered`)) + 'A',
  };
  const server = createServer((req, res) => {
    void Promise.resolve(documents[req.url ?? '']?.()).then((text) =>
      res.writeHead(text === undefined ? 404 : 200).end(text),
    );
  });
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));

  return {
    trust: { algorithm, typ, issuer, audience, ...(pair ? {} : { secret }) },
    token(claims = {}, header = {}) {
      const usual = {
        iss: issuer,
        sub: 'u1',
        aud: audience,
        iat: now(),
        exp: now() + 21_600,
        jti: randomUUID(),
        sid: randomUUID(),
        client_id: 'coatcheck',
        username: 'ada',
        status: { status_list: { idx: 0, uri: list } },
      };
      return sign({ ...usual, ...claims }, { typ, ...header });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
