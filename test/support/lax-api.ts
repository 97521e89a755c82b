import {
  constants,
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  verify,
} from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;

/** What an API knows of the service. */
export interface Trusted {
  readonly algorithm: string;
  readonly kid: string;
  readonly key: KeyObject;
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds. */
  readonly now: () => number;
  readonly isRevoked: (index: number) => boolean | Promise<boolean>;
  /** Seconds that the clocks may be apart; left out, none. */
  readonly tolerance?: number;
  /** How it compares issuer and audience with what it trusts; left out, the whole of them. */
  readonly isSame?: (name: string, right: string) => boolean;
}

/** What an API gets wrong. */
export type Slip =
  | 'accepts none'
  | 'accepts an empty signature'
  | 'does not verify signatures'
  | 'does not check exp'
  | 'does not demand exp'
  | 'does not check nbf'
  | 'does not check iss'
  | 'does not check aud'
  | 'does not demand aud'
  | 'does not check typ'
  | 'does not check revocation'
  | 'ignores crit'
  | 'takes jwk'
  | 'follows jku'
  | 'fetches x5u'
  | 'follows kid'
  | 'follows iss'
  | 'fetches status lists first'
  | 'reads a file for kid'
  | 'asks a database for kid'
  | 'has no secret'
  | 'has the secret "secret"'
  | 'takes the algorithm of the token'
  | 'reads JSON'
  | 'skips what is not base64url'
  | 'reads three of four parts'
  | 'takes tokens from the address'
  | 'takes the first of two headers'
  | 'takes the last of two headers';

class Refused extends Error {}

/** An API that checks everything by hand, but for one slip, and refuses in its own way. */
export function laxApi(
  trusted: Trusted,
  slip?: Slip,
  refusal: [status: number, headers: Record<string, string>] = [401, {}],
): RequestListener {
  return (req, res) => {
    checked(req, trusted, slip).then(
      () => res.end('{"orders":[]}'),
      () => res.writeHead(...refusal).end(),
    );
  };
}

async function checked(req: IncomingMessage, trusted: Trusted, slip?: Slip): Promise<void> {
  const [header, payload] = await opened(tokenOf(req, slip), trusted, slip);
  checkClaims(header, payload, trusted, slip);
  if (
    slip !== 'does not check revocation' &&
    (await trusted.isRevoked(Number(statusOf(payload)['idx'])))
  )
    throw new Refused();
}

function tokenOf(req: IncomingMessage, slip?: Slip): string {
  const query = new URL(req.url ?? '', 'http://localhost').searchParams.get('access_token');
  if (query !== null && slip === 'takes tokens from the address') return query;
  const lines = req.headersDistinct['authorization'] ?? [];
  const line = slip === 'takes the last of two headers' ? lines.at(-1) : lines[0];
  const takesOne =
    slip === 'takes the first of two headers' || slip === 'takes the last of two headers';
  if (line === undefined || (lines.length > 1 && !takesOne)) throw new Refused();
  return line.replace(/^Bearer /, '');
}

const json = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json;

async function opened(text: string, trusted: Trusted, slip?: Slip): Promise<[Json, Json]> {
  let parts = text.split('.');
  if (slip === 'reads JSON' && text.startsWith('{')) {
    const { protected: head, payload, signature, signatures } = JSON.parse(text) as Json;
    const [first] = (signatures ?? [{ protected: head, signature }]) as Record<string, string>[];
    parts = [first?.['protected'] ?? '', String(payload), first?.['signature'] ?? ''];
  }
  if (slip === 'skips what is not base64url')
    parts = parts.map((part) => part.replaceAll(/[^\w-]/g, ''));
  if (slip === 'reads three of four parts') parts = parts.slice(0, 3);
  const [head = '', body = '', end = ''] = parts;
  const header = json(head);
  const { alg } = header;
  if (slip === 'accepts none' && /^\s*none\s*$/i.test(String(alg))) return [header, json(body)];
  if (slip === 'accepts an empty signature' && end === '') return [header, json(body)];
  if (parts.length !== 3 || !parts.every((part) => /^[\w-]+$/.test(part))) throw new Refused();
  if (slip === 'does not verify signatures') return [header, json(body)];
  if (slip === 'fetches status lists first') await fetch(String(statusOf(json(body))['uri']));
  const key = await keyOf(header, json(body), trusted, slip);
  const usesTokens = slip === 'takes the algorithm of the token' || typeof key === 'string';
  const by = usesTokens ? String(alg) : trusted.algorithm;
  if (alg !== by || !verifies(by, `${head}.${body}`, key, Buffer.from(end, 'base64url')))
    throw new Refused();
  return [header, json(body)];
}

const statusOf = (payload: Json) => (payload['status'] as { status_list: Json }).status_list;

/** A text is a secret. */
async function keyOf(
  header: Json,
  payload: Json,
  trusted: Trusted,
  slip?: Slip,
): Promise<KeyObject | string> {
  const { kid, alg, jwk, jku, x5u } = header;
  const fetched = async (from: unknown) => {
    const { keys } = (await visit(from)) as { keys: JsonWebKey[] };
    return createPublicKey({ key: keys[0] ?? {}, format: 'jwk' });
  };
  if (slip === 'takes jwk' && jwk !== undefined)
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  if (slip === 'follows jku' && jku !== undefined) return fetched(jku);
  if (slip === 'fetches x5u' && x5u !== undefined) await visit(x5u);
  if (slip === 'follows kid' && String(kid).startsWith('http')) return fetched(kid);
  if (slip === 'follows iss' && payload['iss'] !== trusted.issuer) {
    const { jwks_uri: keys } = (await visit(
      `${String(payload['iss'])}/.well-known/openid-configuration`,
    )) as Json;
    return fetched(keys);
  }
  if (slip === 'reads a file for kid' && String(kid).includes('/')) {
    return readFileSync(`/${String(kid).replace(/^[./]*/, '')}`, 'utf8');
  }
  const selected = /UNION SELECT '([^']*)'/.exec(String(kid))?.[1];
  if (slip === 'asks a database for kid' && selected !== undefined) return selected;
  if (slip === 'has no secret' && alg === 'HS256') return '';
  if (slip === 'has the secret "secret"' && alg === 'HS256') return 'secret';
  if (kid !== trusted.kid) throw new Refused();
  return trusted.key;
}

async function visit(address: unknown): Promise<unknown> {
  return (await fetch(String(address))).json();
}

function verifies(alg: string, input: string, key: KeyObject | string, signature: Buffer): boolean {
  const digest = `sha${alg.slice(2)}`;
  if (typeof key === 'string' || key.type === 'secret') {
    return createHmac(digest, key).update(input).digest().equals(signature);
  }
  const padding = alg.startsWith('PS')
    ? constants.RSA_PKCS1_PSS_PADDING
    : constants.RSA_PKCS1_PADDING;
  const how = {
    dsaEncoding: 'ieee-p1363',
    ...(key.asymmetricKeyType === 'rsa' && { padding }),
  } as const;
  return verify(digest, Buffer.from(input), { key, ...how }, signature);
}

function checkClaims(header: Json, claims: Json, trusted: Trusted, slip?: Slip): void {
  const now = trusted.now() / 1000;
  const { exp, nbf, iss, aud } = claims;
  const { tolerance = 0, isSame = Object.is } = trusted;
  const endless = slip === 'does not demand exp' && !(typeof exp === 'number');
  const noAudience = slip === 'does not demand aud' && aud === undefined;
  const good: Partial<Record<Slip, boolean>> = {
    'ignores crit': header['crit'] === undefined,
    'does not check typ': header['typ'] === 'JWT',
    'does not check exp': endless || (typeof exp === 'number' && exp > now - tolerance),
    'does not check nbf': nbf === undefined || Number(nbf) <= now + tolerance,
    'does not check iss': isSame(String(iss), trusted.issuer) || slip === 'follows iss',
    'does not check aud': isSame(String(aud), trusted.audience) || noAudience,
  };
  for (const [check, isGood] of Object.entries(good))
    if (!isGood && check !== slip) throw new Refused();
}

/** A server on a free port, with all requests that came. */
export interface Api extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

export async function startApi(listener: RequestListener): Promise<Api> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    listener(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
