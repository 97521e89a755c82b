import type { Fetch } from '../bounded-fetch.ts';
import { isObject, type JsonObject, jsonObject } from '../json.ts';

/** Where an issuer has what verifiers fetch. */
export function testAddresses(issuer: string) {
  const base = issuer.replace(/\/+$/, '');
  return {
    keys: `${base}/.well-known/jwks.json`,
    metadata: `${base}/.well-known/oauth-authorization-server`,
    statusList: `${base}/status-lists/1`,
  };
}

/** A `fetch` that knows these addresses and no others. */
export function answering(documents: Readonly<Record<string, () => string>>): Fetch {
  const byAddress = new Map(
    Object.entries(documents).map(([url, document]) => [new URL(url).href, document]),
  );
  return async (input) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const document = byAddress.get(url.href);
    return document === undefined
      ? new Response('not found', { status: 404 })
      : new Response(document(), { headers: { 'Content-Type': typeOf(url) } });
  };
}

function typeOf({ pathname }: URL): string {
  return pathname.includes('/status-lists/') ? 'application/statuslist+jwt' : 'application/json';
}

/** The same token with the roles of an administrator. */
export function tampered(jwt: string): string {
  const [header = '', , signature = ''] = jwt.split('.');
  const payload = JSON.stringify({ ...payloadOf(jwt), roles: ['admin'], tampered: true });
  return `${header}.${Buffer.from(payload).toString('base64url')}.${signature}`;
}

/** @throws {TypeError} for what is no token with a place in a status list */
export function statusIndex(jwt: string): number {
  const { status } = payloadOf(jwt);
  const reference = isObject(status) ? status['status_list'] : undefined;
  const idx = isObject(reference) ? reference['idx'] : undefined;
  if (typeof idx !== 'number') throw new TypeError('that token has no place in a status list');
  return idx;
}

function payloadOf(jwt: string): JsonObject {
  return jsonObject(Buffer.from(jwt.split('.')[1] ?? '', 'base64url')) ?? {};
}
