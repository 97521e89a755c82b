import { looksLikeAKey } from '#verify';
import { parsedJson } from '../core/json.ts';

const COMPACT = 'A token is three parts with dots between them: header.payload.signature.';

/**
 * What people paste instead of a token, most dangerous first, and what to say of it. Nothing of the text itself is ever
 * in the answer: it may be a secret.
 */
const MISTAKES: readonly (readonly [
  test: (text: string, json: Map<string, unknown> | undefined) => boolean,
  says: string,
])[] = [
  [(text) => text === '', 'Nothing was pasted.'],
  [
    (text, json) => /-----BEGIN [A-Z ]*PRIVATE KEY/.test(text) || isPrivate(json),
    'That looks like a private key. It is not shown again, and was not kept. Whoever has it can sign tokens: if it came from anywhere but a test, replace it. For a key of this service "coatcheck key rotate --emergency" does that.',
  ],
  [
    (text, json) =>
      text.startsWith('-----') || json?.has('kty') === true || json?.has('keys') === true,
    'That is a public key, a certificate or a key set: it checks tokens, and is none. This service looks up its own keys by itself.',
  ],
  [
    (text) => /^(?:__Host-session=|session=|s(?::|%3A))/i.test(text),
    'That looks like a session cookie. It is not shown again, and was not kept. It is worth more than a token, since new ones can be had for it: if anybody may have seen it, sign out.',
  ],
  [
    (_text, json) => json?.has('ciphertext') === true,
    'That is an encrypted token in JSON (JWE, RFC 7516, section 7.2): only who has the key to it can read it. This service issues none.',
  ],
  [
    (_text, json) => json?.has('payload') === true,
    'That is a JWS in its JSON form (RFC 7515, section 7.2). A token travels in the compact form, and this service accepts no other: protected, payload and signature with dots between them.',
  ],
  [
    (_text, json) => json !== undefined,
    `That is JSON without a token in it. If these are the claims, they are decoded already; what can be checked is the token they came in. ${COMPACT}`,
  ],
  [
    (text) => /^https?:\/\//i.test(text),
    'That is an address. If there is a token in it, paste that alone, and have it sent in the Authorization header: addresses end up in logs and histories.',
  ],
  [
    (text) => text.startsWith('eyJ') && partsOf(text).length === 5,
    'That is an encrypted token (JWE, RFC 7516): five parts instead of three. Only who has the key to it can read it. This service issues none.',
  ],
  [
    (text) => text.startsWith('eyJ') && partsOf(text).length === 2,
    `Two parts: the signature is missing, so that nothing of it can be checked. Perhaps the end was not copied. ${COMPACT}`,
  ],
  [
    (text) => looksLikeAKey(text) || /^(?:[0-9a-f]{2}){32,}$/i.test(text),
    'That looks like a key or a secret. It is not shown again, and was not kept. If it signs anything, take a new one: a secret belongs into settings, and nowhere else.',
  ],
  [
    (text) => text.startsWith('eyJ') && partsOf(text).length === 1,
    `That is one part of a token alone. ${COMPACT}`,
  ],
  [
    (text) => partsOf(text).length === 1,
    'That has no dots in it: an opaque token, an id or a password, perhaps. Nothing can be read from it; only who issued it knows what it stands for. It is not shown again, and was not kept.',
  ],
];

/** What a text is that is no token, in words. */
export function whatElse(text: string): string {
  const json = jsonMembers(text);
  const found = MISTAKES.find(([test]) => test(text, json));
  return (
    found?.[1] ?? `That is no token. ${COMPACT} Each is base64url: letters, digits, "-" and "_".`
  );
}

/** The parts between dots, where nothing else is in the text but what tokens are made of. */
function partsOf(text: string): readonly string[] {
  const compact = text.replaceAll(/\s+/g, '');
  return /^[\w.+/=-]+$/.test(compact) ? compact.split('.') : [];
}

/** The members of a JSON object, or of the first one in a list. */
function jsonMembers(text: string): Map<string, unknown> | undefined {
  const value = parsedJson(text);
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'object' && first !== null ? new Map(Object.entries(first)) : undefined;
}

/** A JWK with a member that only private and symmetric keys have (RFC 7518, section 6), or a set with such a one. */
function isPrivate(json: Map<string, unknown> | undefined): boolean {
  const keys = json?.get('keys');
  const jwks: unknown[] = Array.isArray(keys)
    ? keys
    : json?.has('kty')
      ? [Object.fromEntries(json)]
      : [];
  return jwks.some(
    (jwk) => typeof jwk === 'object' && jwk !== null && ['d', 'k', 'p'].some((name) => name in jwk),
  );
}
