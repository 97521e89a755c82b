import type { JsonWebKey } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair, generateSecret } from 'jose';
import { hmac, publicKeyForms } from '../../commands/probe/jws.ts';
import { base64url, forge } from '../support/forge.ts';

type Json = Record<string, unknown>;

/**
 * Texts that look like the token, made by somebody who has no key but whatever is public; with a shared secret, also
 * those that it signs with an algorithm that is not the one named.
 */
export async function forgeries(
  token: string,
  published: JsonWebKey[],
  secret?: string,
): Promise<Forged> {
  const [head = '', body = '', signature = ''] = token.split('.');
  const header = decoded(head);
  const claims = decoded(body);
  const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
  const admin = base64url(JSON.stringify({ ...claims, roles: ['admin'] }));
  const unsigned = (alg: string) => `${base64url(JSON.stringify({ ...header, alg }))}.${body}.`;
  return {
    'a claim altered': `${head}.${admin}.${signature}`,
    'the signature altered': `${head}.${body}.${flipped}`,
    'the signature cut short': `${head}.${body}.${signature.slice(0, -4)}`,
    'the signature left out': `${head}.${body}.`,
    'alg none': unsigned('none'),
    'alg nOnE': unsigned('nOnE'),
    'alg none, signed': `${unsigned('none')}${signature}`,
    'alg empty': unsigned(''),
    'two parts': `${head}.${body}`,
    ...oddHeaders(header, `${body}.${signature}`),
    'no token at all': 'umbrella',
    ...(await signedByOthers(header, claims)),
    ...signedWithPublicKeys(header, claims, published),
    ...(secret === undefined ? {} : signedWithOtherHashes(header, claims, secret)),
  };
}

type Forged = Record<string, string>;

function decoded(part: string): Json {
  const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Some libraries stumble over these instead of refusing them. */
function oddHeaders(header: Json, rest: string): Forged {
  const odd = {
    'no JSON': '{',
    'no text': Buffer.from([0xff, 0xfe]),
    nothing: 'null',
    'an empty object': '{}',
    'a list': '[]',
    'a number': '7',
    'a text': '"alg"',
    'alg in another script': JSON.stringify({ ...header, alg: 'ΗS256 \u0000\r\n' }),
    ...Object.fromEntries(
      ['alg', 'kid', 'typ', 'crit'].flatMap((name) =>
        [null, 7, [], {}].map((value) => [
          `${name} ${JSON.stringify(value)}`,
          JSON.stringify({ ...header, [name]: value }),
        ]),
      ),
    ),
  };
  return Object.fromEntries(
    Object.entries(odd).map(([what, text]) => [`header: ${what}`, `${base64url(text)}.${rest}`]),
  );
}

/** Another key of the same kind, under the name of the real one, under its own, and brought along. */
async function signedByOthers(header: Json, claims: Json): Promise<Forged> {
  const algorithm = String(header['alg']);
  const payload = Buffer.from(JSON.stringify(claims));
  const shared = algorithm.startsWith('HS');
  const pair = shared ? undefined : await generateKeyPair(algorithm, { extractable: true });
  const key = pair?.privateKey ?? (await generateSecret(algorithm, { extractable: true }));
  const jwk = await exportJWK(pair?.publicKey ?? key);
  const sign = (more: Json) =>
    new CompactSign(payload).setProtectedHeader({ ...header, alg: algorithm, ...more }).sign(key);
  return {
    'another key': await sign({}),
    'another key by its own name': await sign({ kid: 'mine' }),
    'another key without a name': await sign({ kid: undefined }),
    'another key that the token brings': await sign({ jwk, kid: undefined }),
  };
}

/** Algorithm confusion: a public key, in each form that a library may hold it, as if it were a shared secret. */
function signedWithPublicKeys(header: Json, claims: Json, published: JsonWebKey[]): Forged {
  const forged: Forged = {};
  for (const [index, jwk] of published.entries()) {
    for (const [form, secret] of Object.entries(publicKeyForms(jwk))) {
      const what = `HS256 with public key ${index} as ${form}`;
      forged[what] = hmac({ ...header, alg: 'HS256' }, claims, secret);
    }
  }
  return forged;
}

function signedWithOtherHashes(header: Json, claims: Json, secret: string): Forged {
  const others = ['HS256', 'HS384', 'HS512'].filter((alg) => alg !== header['alg']);
  return Object.fromEntries(
    others.map((alg) => [`signed with ${alg}`, forge({ ...header, alg }, claims, secret, alg)]),
  );
}
