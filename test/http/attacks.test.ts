import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { requireToken, secretKey, type Token } from '#verify';
import {
  encoded,
  hmac,
  jws,
  partsOf,
  publicKeyForms,
  type Signer,
  strangerOf,
} from '../../commands/probe/jws.ts';
import { type Answer, answerOf } from '../support/answer.ts';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { SECOND } from '../support/clock.ts';
import { base64url } from '../support/forge.ts';
import { freePort } from '../support/free-port.ts';
import { type Api, registerApi } from '../support/introspection.ts';
import { request } from '../support/raw-http.ts';
import { claimsOf } from '../support/session.ts';

type Json = Record<string, unknown>;

/** What is sent, and the sentence with which it is refused. */
interface Attempt {
  readonly name: string;
  readonly token: string;
  readonly says: string;
}

/** The service, an API that trusts it, and all that an attacker may know. */
interface Scene {
  readonly app: TestApp;
  readonly client: Api;
  readonly apiPort: number;
  readonly algorithm: string;
  readonly own: Signer & { readonly kid: string };
  readonly token: string;
  readonly header: Json;
  readonly claims: Json;
  readonly published: JsonWebKey[];
  /** `http://127.0.0.1:<port>` of a listener that nobody has any reason to call. */
  readonly trap: string;
  /** A status list that the service has signed. */
  readonly statusList: string;
}

const ALGORITHMS = ['HS256', 'ES256', 'RS256', 'PS256'] as const;
const HMACS = ['HS256', 'HS384', 'HS512'] as const;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const CANARY = 'canary-hatpin-of-an-attacker';

const NOT_COMPACT = 'The token is not a compact JWS.';
const NO_HEADER = "The token's header is not a JSON object.";
const UNREADABLE = 'The token cannot be read.';
const UNKNOWN_KEY = 'The token was signed with a key that is not trusted here.';
const WRONG_ALGORITHM = "The token's algorithm is not the one of its key.";
const BAD_SIGNATURE = 'The signature of the token is not right.';
const WRONG_TYPE = 'That is no token, but something else.';
const EXPIRED = 'The token has expired.';
const NOT_YET = 'The token is not valid yet.';
const NO_STATUS = 'The status of the token refers to nothing.';
const hasNo = (claim: string) => `The token has no "${claim}".`;
const notRight = (claim: string) => `The token's "${claim}" is not right.`;
const mustNotHave = (name: string) => `The token's header must not have "${name}".`;
/** The header is none of RFC 6750: 400 in place of 401. */
const NO_BEARER = 'The Authorization header is not "Bearer <token>".';
/** The bytes are no request: the server of Node says so. */
const NO_REQUEST = 'not HTTP';
const ACCEPTED = 'accepted';

/** The integer in so many bytes. */
const bytesOf = (integer: bigint, length: number) =>
  Buffer.from(integer.toString(16).padStart(2 * length, '0'), 'hex');
const numberOf = (bytes: Buffer) => BigInt(`0x0${bytes.toString('hex')}`);
/** The order of P-256 (FIPS 186-5, appendix A.1.1). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A signature in the other form that ECDSA's have (RFC 3279, section 2.2.3). */
function asDer(raw: Buffer): Buffer {
  const integer = (bytes: Buffer) => {
    const short = Buffer.from(bytes.subarray(bytes.findIndex((byte) => byte !== 0)));
    const value = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
    return Buffer.concat([Buffer.of(2, value.length), value]);
  };
  const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, both.length), both]);
}

/** What an attacker without the key may send. Each of them signs as well as it can. */
const FORGERIES: Record<string, (scene: Scene) => Attempt[]> = {
  'leaves the signature out, and says so': ({ token, header, claims, own }) => {
    const { body, end } = partsOf(token);
    const { kid: _, ...nameless } = header;
    const spellings = [
      'none',
      'None',
      'NONE',
      'nOnE',
      'none ',
      ' none',
      'none\0',
      'ｎｏｎｅ',
      'nоne', // with a Cyrillic letter
      '',
      'null',
      '*',
      null,
      0,
      false,
      [],
      ['none'],
      [own.algorithm],
      {},
      undefined,
    ];
    return spellings.flatMap((alg) => {
      const [named, unnamed] = [encoded({ ...header, alg }), encoded({ ...nameless, alg })];
      const name = `alg ${JSON.stringify(alg)}`;
      return [
        { name: `${name}, no signature`, token: `${named}.${body}.`, says: NOT_COMPACT },
        { name: `${name}, two parts`, token: `${named}.${body}`, says: NOT_COMPACT },
        {
          name: `${name}, another's signature`,
          token: `${named}.${body}.${end}`,
          says: WRONG_ALGORITHM,
        },
        { name: `${name}, some signature`, token: `${named}.${body}.AA`, says: WRONG_ALGORITHM },
        { name: `${name}, no kid`, token: `${unnamed}.${body}.${end}`, says: UNKNOWN_KEY },
        {
          name: `${name}, signed`,
          token: jws({ ...header, alg }, claims, strangerOf('HS256')),
          says: WRONG_ALGORITHM,
        },
      ];
    });
  },

  'takes the public key for a shared secret': ({ header, claims, published, own }) => {
    const known: Record<string, string | Buffer> = {
      nothing: '',
      'a NUL': '\0',
      'an empty JWKS': '{"keys":[]}',
      'the kid': own.kid,
      'the word undefined': 'undefined',
      'the word secret': 'secret',
    };
    for (const jwk of published) Object.assign(known, publicKeyForms(jwk));
    return Object.entries(known).flatMap(([form, secret]) =>
      HMACS.flatMap((alg) => {
        const given = { ...header, alg };
        const under = typeof secret === 'string' ? secretKey(secret, alg).kid : 'mine';
        return [
          {
            name: `${alg} with ${form}`,
            token: hmac(given, claims, secret, alg),
            says: alg === own.algorithm ? BAD_SIGNATURE : WRONG_ALGORITHM,
          },
          {
            name: `${alg} with ${form}, under its name`,
            token: hmac({ ...given, kid: under }, claims, secret, alg),
            says: UNKNOWN_KEY,
          },
          {
            name: `${alg} with ${form}, in the name of ${own.algorithm}`,
            token: hmac(header, claims, secret, alg),
            says: BAD_SIGNATURE,
          },
        ];
      }),
    );
  },

  'brings the key or the rules along': ({ header, claims, own, trap }) => {
    const stranger = strangerOf(own.algorithm);
    const { jwk } = stranger;
    const additions: Json[] = [
      { jwk },
      { jwk: { ...jwk, kid: own.kid } },
      { jwk: null },
      { jku: `${trap}/jwks.json` },
      { jku: '' },
      { x5u: `${trap}/certificate.pem` },
      { x5u: null },
      { x5c: ['MIIB'] },
      { x5c: [] },
      { crit: [] },
      { crit: ['exp'], exp: 1 },
      { crit: ['b64'], b64: false },
      { crit: ['b64'], b64: true },
      { crit: ['http://example.com/UNDEFINED'], 'http://example.com/UNDEFINED': true },
      { crit: 'b64' },
      { crit: null },
    ];
    const brought = additions.flatMap((addition) => {
      const name = JSON.stringify(addition).slice(0, 40);
      const says = mustNotHave(Object.keys(addition)[0] ?? '');
      return [
        { name, token: jws({ ...header, ...addition }, claims, stranger), says },
        {
          name: `${name} for a key of its own`,
          token: jws({ ...header, kid: `${trap}/key`, ...addition }, claims, stranger),
          says,
        },
      ];
    });
    const unheeded: Json[] = [
      { b64: false },
      { zip: 'DEF' },
      { x5t: 'AAAA' },
      { enc: 'A128GCM' },
      { cty: 'JWT' },
      { jwks_uri: `${trap}/jwks.json` },
      { iss: trap },
    ];
    return [
      ...brought,
      ...unheeded.map((addition) => ({
        name: JSON.stringify(addition),
        token: jws({ ...header, ...addition }, claims, stranger),
        says: BAD_SIGNATURE,
      })),
      {
        name: 'a payload that points at keys and lists',
        token: jws(
          header,
          { ...claims, iss: trap, status: { status_list: { idx: 0, uri: `${trap}/list` } } },
          stranger,
        ),
        says: BAD_SIGNATURE,
      },
    ];
  },

  'names a key that is none': ({ header, claims, own, trap }) => {
    const stranger = strangerOf(own.algorithm);
    const { kid } = own;
    const kids: unknown[] = [
      undefined,
      null,
      '',
      0,
      true,
      [],
      {},
      [kid],
      [[kid]],
      { kid },
      { toString: kid },
      'mine',
      `${kid} `,
      ` ${kid}`,
      `${kid}\0`,
      `${kid}/../${kid}`,
      kid.slice(0, -1),
      kid.split('').toReversed().join(''),
      '../../../../../../dev/null',
      '/dev/null',
      '/etc/passwd',
      'file:///etc/passwd',
      'C:\\Windows\\win.ini',
      '|/usr/bin/id',
      '$(id)',
      '`id`',
      "' or 1=1 --",
      "x' UNION SELECT 'AA' --",
      '"; DROP TABLE signing_keys; --',
      '%',
      '*',
      '__proto__',
      'constructor',
      'prototype',
      'hasOwnProperty',
      'toString',
      '${jndi:ldap://127.0.0.1/a}',
      '{{7*7}}',
      '\r\nX-Injected: 1',
      '\uD800',
      '\u202E',
      `${trap}/key`,
      CANARY,
      'x'.repeat(5000),
    ];
    return kids.flatMap((named) => {
      const name = `kid ${(JSON.stringify(named) ?? 'left out').slice(0, 40)}`;
      const given = { ...header, kid: named };
      return [
        { name, token: jws(given, claims, stranger), says: UNKNOWN_KEY },
        {
          name: `${name}, signed with nothing`,
          token: hmac({ ...given, alg: 'HS256' }, claims, ''),
          says: UNKNOWN_KEY,
        },
      ];
    });
  },

  'names another algorithm': ({ token, header, claims, own }) => {
    const { body, end } = partsOf(token);
    const stranger = strangerOf(own.algorithm);
    const real = 'HS256 HS384 HS512 ES256 ES384 ES512 ES256K RS256 RS384 RS512 PS256 PS384 PS512';
    const other =
      'EdDSA Ed25519 RS1 dir A128KW RSA-OAEP ECDH-ES PBES2-HS256+A128KW sha256 RSA-SHA256';
    const names = [
      ...real.split(' '),
      ...other.split(' '),
      own.algorithm.toLowerCase(),
      `${own.algorithm} `,
      `${own.algorithm}\0`,
    ].filter((alg) => alg !== own.algorithm);
    return names.flatMap((alg) => [
      {
        name: `${alg} over the right signature`,
        token: `${encoded({ ...header, alg })}.${body}.${end}`,
        says: WRONG_ALGORITHM,
      },
      {
        name: `${alg} over another's`,
        token: jws({ ...header, alg }, claims, stranger),
        says: WRONG_ALGORITHM,
      },
    ]);
  },

  'alters what was signed': ({ token, header, claims, own, statusList }) => {
    const { head, body, end } = partsOf(token);
    const forged = { ...claims, roles: ['admin'], name: CANARY };
    const swapped: Record<string, string> = {
      'another payload': `${head}.${encoded(forged)}.${end}`,
      'the same payload in another order': `${head}.${encoded(Object.fromEntries(Object.entries(claims).toReversed()))}.${end}`,
      'another header': `${encoded({ ...header, typ: 'at+jwt' })}.${body}.${end}`,
      'the same header in another order': `${encoded(Object.fromEntries(Object.entries(header).toReversed()))}.${body}.${end}`,
      "a status list's signature": `${head}.${body}.${partsOf(statusList).end}`,
      "a status list's payload": `${head}.${partsOf(statusList).body}.${end}`,
      'another key': jws(header, claims, strangerOf(own.algorithm)),
    };
    return Object.entries(swapped).map(([name, text]) => ({
      name,
      token: text,
      says: BAD_SIGNATURE,
    }));
  },

  'alters the signature': ({ token, own }) => {
    const { head, body, end, bytes } = partsOf(token);
    const { length } = bytes;
    const zero = Buffer.of(0);
    const others: Record<string, Buffer> = {
      'all zero': Buffer.alloc(length),
      'all ones': Buffer.alloc(length, 255),
      'one byte': bytes.subarray(0, 1),
      'a byte short at its end': bytes.subarray(0, -1),
      'a byte short at its beginning': bytes.subarray(1),
      'half of it': bytes.subarray(0, length / 2),
      doubled: Buffer.concat([bytes, bytes]),
      'a zero before it': Buffer.concat([zero, bytes]),
      'a zero after it': Buffer.concat([bytes, zero]),
      backwards: Buffer.from([...bytes].toReversed()),
      'its own text': Buffer.from(end),
      'its digits': Buffer.from(bytes.toString('hex')),
      'a megabit': Buffer.alloc(4096, 1),
    };
    if (own.algorithm === 'ES256') Object.assign(others, ecdsaSignatures(bytes));
    if (own.algorithm === 'RS256' || own.algorithm === 'PS256') {
      const n = numberOf(
        Buffer.from(createPublicKey(own.key).export({ format: 'jwk' }).n ?? '', 'base64url'),
      );
      for (const [name, value] of Object.entries({
        one: 1n,
        n,
        'n - 1': n - 1n,
        'n - s': n - numberOf(bytes),
      }))
        others[name] = bytesOf(value, length);
    }
    return Object.entries(others).map(([name, other]) => ({
      name,
      token: `${head}.${body}.${other.toString('base64url')}`,
      says: BAD_SIGNATURE,
    }));
  },

  'writes the token in another way': ({ token }) => {
    const { head, body, end } = partsOf(token);
    const flat = JSON.stringify({ protected: head, payload: body, signature: end });
    const general = JSON.stringify({
      payload: body,
      signatures: [{ protected: head, signature: end }],
    });
    const compact: Record<string, string> = {
      'no payload': `${head}..${end}`,
      'no header': `.${body}.${end}`,
      'dots alone': '..',
      'four parts': `${token}.${end}`,
      'five parts': `${head}.${body}.${end}.${body}.${end}`,
      'a dot before': `.${token}`,
      'a dot after': `${token}.`,
      'padding at the end': `${token}=`,
      'more padding at the end': `${token}==`,
      'a plus in the signature': `${head}.${body}.+${end.slice(1)}`,
      'a slash in the payload': `${head}./${body.slice(1)}.${end}`,
      'a tilde': `${token}~`,
      'base64url of it': base64url(token),
      'base64url of the flattened form': base64url(flat),
      'one character': 'x',
      rubbish: 'x.y.z'.replaceAll('.', '-'),
    };
    const unreadable: Record<string, string> = {
      'nothing at all': '',
      'padding within': `${head}=.${body}.${end}`,
      'a blank within': `${head}. ${body}.${end}`,
      'a tab within': `${head}.\t${body}.${end}`,
      'in quotes': `"${token}"`,
      'the flattened form': flat,
      'the general form': general,
      'a list of it': JSON.stringify([token]),
      'twice, with a comma': `${token},${token}`,
      'twice, with a blank': `${token} ${token}`,
      'dots as percent signs': token.replaceAll('.', '%2E'),
      'other dots': token.replaceAll('.', '。'),
      'a byte order mark': `\uFEFF${token}`,
      'a second scheme': `Bearer ${token}`,
    };
    const broken: Record<string, string> = {
      'a NUL after': `${token}\0`,
      'a NUL within': `${head}\0.${body}.${end}`,
      'a line break within': `${head}.\r\n${body}.${end}`,
      'a folded line': `${head}.\r\n ${body}.${end}`,
      'a line feed within': `${head}.\n${body}.${end}`,
    };
    const told = (texts: Record<string, string>, says: string) =>
      Object.entries(texts).map(([name, text]) => ({ name, token: text, says }));
    return [
      ...told(compact, NOT_COMPACT),
      ...told(unreadable, NO_BEARER),
      ...told(broken, NO_REQUEST),
      ...told(Object.fromEntries(otherSpellings(token)), NOT_COMPACT),
      { name: 'two parts exchanged', token: `${head}.${end}.${body}`, says: BAD_SIGNATURE },
    ];
  },

  'sends a header that is none': ({ token }) => {
    const { body, end } = partsOf(token);
    const texts: Record<string, string | Buffer> = {
      'no JSON': '{',
      'a list': '[]',
      'a number': '1',
      'a text': '"alg"',
      nothing: 'null',
      'two objects': '{}{}',
      'a byte order mark': '\uFEFF{}',
      'a comment': '{/**/}',
      'single quotes': "{'alg':'none'}",
      'no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      'a NUL': '{}\0',
      'a deep list': `${'['.repeat(4000)}${']'.repeat(4000)}`,
    };
    return [
      ...Object.entries(texts).map(([name, text]) => ({
        name,
        token: `${encoded(text)}.${body}.${end}`,
        says: NO_HEADER,
      })),
      { name: 'an empty object', token: `${encoded('{}')}.${body}.${end}`, says: UNKNOWN_KEY },
      {
        name: 'an object that is deep',
        token: `${encoded(`{"x":${'{"x":'.repeat(1500)}1${'}'.repeat(1500)}}`)}.${body}.${end}`,
        says: UNKNOWN_KEY,
      },
    ];
  },

  'hides something in a header': ({ claims, own, trap }) => {
    const stranger = strangerOf(own.algorithm);
    const { algorithm: alg, kid } = own;
    const texts: [string, string, string][] = [
      ['a second alg', `{"alg":"${alg}","kid":"${kid}","alg":"none"}`, WRONG_ALGORITHM],
      ['a first alg', `{"alg":"none","kid":"${kid}","alg":"${alg}"}`, BAD_SIGNATURE],
      ['an escaped alg', `{"alg":"${alg}","kid":"${kid}","\\u0061lg":"none"}`, WRONG_ALGORITHM],
      ['a second kid', `{"alg":"${alg}","kid":"${kid}","kid":"mine"}`, UNKNOWN_KEY],
      [
        'a second jku',
        `{"alg":"${alg}","kid":"${kid}","jku":"${trap}","jku":null}`,
        mustNotHave('jku'),
      ],
      [
        'an escaped jku',
        `{"alg":"${alg}","kid":"${kid}","\\u006aku":"${trap}"}`,
        mustNotHave('jku'),
      ],
      ['a kid on the prototype', `{"alg":"${alg}","__proto__":{"kid":"${kid}"}}`, UNKNOWN_KEY],
      ['an alg on the prototype', `{"kid":"${kid}","__proto__":{"alg":"${alg}"}}`, WRONG_ALGORITHM],
      ['names in capitals', `{"ALG":"${alg}","KID":"${kid}"}`, UNKNOWN_KEY],
    ];
    return texts.map(([name, text, says]) => ({ name, token: jws(text, claims, stranger), says }));
  },

  'takes a status list for a token': ({ statusList }) => [
    { name: 'as it is', token: statusList, says: WRONG_TYPE },
    {
      name: 'under the header of a token',
      token: `${encoded({ ...headerOf(statusList), typ: 'JWT' })}.${statusList.split('.').slice(1).join('.')}`,
      says: BAD_SIGNATURE,
    },
  ],
};

/** "Psychic" signatures (CVE-2022-21449) and others that have no place on the curve. */
function ecdsaSignatures(bytes: Buffer): Record<string, Buffer> {
  const both = (r: bigint, s: bigint) => Buffer.concat([bytesOf(r, 32), bytesOf(s, 32)]);
  const [r, s] = [numberOf(bytes.subarray(0, 32)), numberOf(bytes.subarray(32))];
  return {
    'r = s = 0': both(0n, 0n),
    'r = 0': both(0n, s),
    's = 0': both(r, 0n),
    'r = s = 1': both(1n, 1n),
    'r = s = n': both(ORDER, ORDER),
    'r = n, s = 0': both(ORDER, 0n),
    's = n': both(r, ORDER),
    'n - r': both(ORDER - r, s),
    'r and s exchanged': both(s, r),
    DER: asDer(bytes),
  };
}

/** Texts other than this one that a tolerant decoder reads as the same bytes. */
function otherSpellings(token: string): Map<string, string> {
  const spellings = new Map<string, string>();
  const parts = token.split('.');
  for (const [index, part] of parts.entries()) {
    const same = Buffer.from(part, 'base64url');
    for (const last of ALPHABET) {
      const other = part.slice(0, -1) + last;
      if (other === part || !Buffer.from(other, 'base64url').equals(same)) continue;
      spellings.set(`part ${index + 1} ending in ${last}`, parts.with(index, other).join('.'));
    }
  }
  return spellings;
}

const headerOf = (token: string) =>
  JSON.parse(Buffer.from(partsOf(token).head, 'base64url').toString()) as Json;

/** What only the service itself could sign. Its signature is not enough. */
function ownWords({ header, claims, own, app }: Scene): Attempt[] {
  const now = Math.floor(app.clock.now() / SECOND);
  const signed = (
    name: string,
    says: string,
    head: object | string,
    payload: object | string | Buffer,
  ) => ({
    name,
    says,
    token: jws(head, payload, own),
  });
  const claim = (says: string, more: Json) =>
    signed(JSON.stringify(more).slice(0, 60), says, header, { ...claims, ...more });
  const typed = (says: string, typ: unknown) =>
    signed(`typ ${JSON.stringify(typ)}`, says, { ...header, typ }, claims);
  const text = JSON.stringify(claims);
  const raw = (name: string, says: string, payload: string | Buffer) =>
    signed(name, says, header, payload);
  const deep = `${'['.repeat(1000)}${']'.repeat(1000)}`;
  const { exp, sub, ...lacking } = claims;
  return [
    ...['statuslist+jwt', 'application/statuslist+jwt', 'logout+jwt', 'secevent+jwt', 'JOSE'].map(
      (typ) => typed(WRONG_TYPE, typ),
    ),
    ...['', 'JWT ', ' JWT', 'JWT\0', 'jwt+at', 'text/jwt', 'ＪＷＴ', 'application/', '*/*'].map(
      (typ) => typed(WRONG_TYPE, typ),
    ),
    ...[null, 0, true, ['JWT'], { JWT: 1 }, undefined].map((typ) => typed(WRONG_TYPE, typ)),
    ...['jwt', 'JWT', 'at+jwt', 'AT+JWT', 'application/jwt'].map((typ) => typed(ACCEPTED, typ)),

    signed('no exp', hasNo('exp'), header, { ...lacking, sub }),
    signed('no sub', hasNo('sub'), header, { ...lacking, exp }),
    ...['iss', 'iat', 'jti', 'sid'].map((name) =>
      signed(`no ${name}`, hasNo(name), header, { ...claims, [name]: undefined }),
    ),
    ...[String(exp), '', null, true, [exp], {}].map((odd) => claim(notRight('exp'), { exp: odd })),
    ...[0, -1, -1e300, now - 5, now - 5.5].map((past) => claim(EXPIRED, { exp: past })),
    raw('exp 1e400', notRight('exp'), text.replace(/"exp":\d+/, '"exp":1e400')),
    raw('exp -1e400', notRight('exp'), text.replace(/"exp":\d+/, '"exp":-1e400')),
    raw('exp NaN', UNREADABLE, text.replace(/"exp":\d+/, '"exp":NaN')),
    raw('exp Infinity', UNREADABLE, text.replace(/"exp":\d+/, '"exp":Infinity')),
    raw('exp in hexadecimal', UNREADABLE, text.replace(/"exp":\d+/, '"exp":0xffffffff')),
    ...[now + 6, now + 3600, app.clock.now(), 1e300].map((nbf) => claim(NOT_YET, { nbf })),
    ...['0', null, [], false].map((nbf) => claim(notRight('nbf'), { nbf })),
    raw('nbf -1e400', notRight('nbf'), text.replace('{', '{"nbf":-1e400,')),
    ...[String(now), null, true, [now]].map((iat) => claim(notRight('iat'), { iat })),
    ...[1, null, {}, [1], [null], [['a']]].map((aud) => claim(notRight('aud'), { aud })),
    ...[1, null, {}, ['x'], true].flatMap((odd) =>
      ['sub', 'jti', 'sid'].map((name) => claim(notRight(name), { [name]: odd })),
    ),
    ...['https://evil.example', '', null, 1, [claims['iss']], `${String(claims['iss'])}/`].map(
      (iss) => claim('The token comes from another issuer.', { iss }),
    ),
    ...[-1, 0.5, '0', null, 2 ** 53].map((idx) =>
      claim(NO_STATUS, { status: { status_list: { ...statusOf(claims), idx } } }),
    ),
    ...[null, 1, '', [], 'x'].map((list) => claim(NO_STATUS, { status: { status_list: list } })),
    claim(NO_STATUS, { status: null }),

    ...['[]', 'null', '1', '"x"', '{', '{}x', `[${text}]`, `${text}\0`, `\uFEFF${text}`, deep].map(
      (payload) => raw(`the payload ${payload.slice(0, 12)}`, UNREADABLE, payload),
    ),
    raw('a payload in Latin-1', UNREADABLE, Buffer.from(text.replace('{', '{"x":"é",'), 'latin1')),
    signed(
      'a payload that is deflated',
      UNREADABLE,
      { ...header, zip: 'DEF' },
      deflateRawSync(text),
    ),
    ...['crit', 'jwk', 'jku', 'x5u', 'x5c'].map((name) =>
      signed(`a header with ${name}`, mustNotHave(name), { ...header, [name]: [] }, claims),
    ),
    raw(
      'a sub on the prototype',
      hasNo('sub'),
      JSON.stringify({ ...lacking, exp }).replace('{', `{"__proto__":{"sub":"${String(sub)}"},`),
    ),

    // of two members of one name the last one counts, for the check and for whoever reads the claims
    raw('another sub first', ACCEPTED, text.replace('{', '{"sub":"somebody else",')),
    raw(
      'another sub first, escaped',
      ACCEPTED,
      text.replace('{', String.raw`{"s\u0075b":"somebody else",`),
    ),
    raw('another exp first', ACCEPTED, text.replace('{', '{"exp":1,')),
    raw('another exp last', EXPIRED, text.replace(/\}$/, ',"exp":1}')),
    raw('another exp last, escaped', EXPIRED, text.replace(/\}$/, String.raw`,"\u0065xp":1}`)),
    raw(
      'another iss last',
      'The token comes from another issuer.',
      text.replace(/\}$/, ',"iss":"x"}'),
    ),
    signed(
      'another alg first',
      ACCEPTED,
      JSON.stringify(header).replace('{', '{"alg":"none",'),
      claims,
    ),
    signed(
      'another alg last',
      WRONG_ALGORITHM,
      JSON.stringify(header).replace(/\}$/, ',"alg":"none"}'),
      claims,
    ),
    signed(
      'another typ first',
      ACCEPTED,
      JSON.stringify(header).replace('{', '{"typ":"statuslist+jwt",'),
      claims,
    ),
    signed(
      'another typ last',
      WRONG_TYPE,
      JSON.stringify(header).replace(/\}$/, ',"typ":"statuslist+jwt"}'),
      claims,
    ),

    // what says nothing that anybody here relies on
    raw('a claim that is deep', ACCEPTED, text.replace('{', `{"x":${deep},`)),
    signed(
      'a header that is deep',
      ACCEPTED,
      JSON.stringify(header).replace('{', `{"x":${deep},`),
      claims,
    ),
    signed('b64 that nobody has to understand', ACCEPTED, { ...header, b64: false }, claims),
    signed('zip, which a JWS does not have', ACCEPTED, { ...header, zip: 'DEF' }, claims),
    claim(ACCEPTED, { __proto__: null, active: false, token_type: 'x' }),
    raw('a claim __proto__', ACCEPTED, text.replace('{', '{"__proto__":{"roles":["admin"]},')),
    // `iat` tells when, and nobody goes by it: clocks differ, and `exp` alone ends a token
    ...[now + 3600, 0, -1, 1e300].map((iat) => claim(ACCEPTED, { iat })),
    claim(ACCEPTED, { exp: now + 0.5 }),
    claim(ACCEPTED, { nbf: now }),
    claim(ACCEPTED, { aud: [] }),
  ];
}

const statusOf = (claims: Json) =>
  (claims['status'] as { status_list: { idx: number; uri: string } }).status_list;

/** Writes bytes to a port of this machine and reads the one answer, until the server closes. */
async function exchange(port: number, bytes: Buffer): Promise<Answer> {
  const chunks: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined); // a server that hangs up while we still write: what it said counts
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  const text = Buffer.concat(chunks).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Headers();
  for (const line of lines) {
    headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim());
  }
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) };
}

for (const algorithm of ALGORITHMS) {
  describe(`security 1 and 18: an attacker of a service that signs with ${algorithm}`, function () {
    this.timeout(120_000);
    /** What came back with every refusal. */
    const bodies: string[] = [];
    const sent = new Set<string>();
    let connections = 0;
    let scene: Scene;
    let api: Server;
    const trap = createTcpServer((socket) => {
      connections += 1;
      socket.destroy();
    });

    before(async () => {
      const port = await freePort();
      const app = await startApp(
        { JWT_ALGORITHM: algorithm, PUBLIC_URL: `http://localhost:${port}`, TOKEN_COOKIE: 'jwt' },
        { port },
      );
      const ada = await signIn(app, 'ada');
      const token = await ada.token();
      const { keys } = (await (await ada.get('/.well-known/jwks.json')).json()) as {
        keys: JsonWebKey[];
      };
      const own = app.services.keyRing.signing();
      const guard = requireToken({
        issuer: app.services.settings.jwt.issuer,
        cookie: 'jwt',
        revocation: 'required',
        now: () => app.clock.now(),
        ...(algorithm === 'HS256'
          ? { secret: app.services.settings.jwt.secret ?? '' }
          : { jwksUri: `${app.url}/.well-known/jwks.json` }),
      });
      api = createServer((req: IncomingMessage & { token?: Token }, res) =>
        guard(req, res, (error) => {
          res.statusCode = error === undefined ? 200 : 500;
          res.end(JSON.stringify(req.token));
        }),
      );
      for (const server of [api, trap]) {
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
      }
      const claims = claimsOf(token);
      scene = {
        app,
        client: await registerApi(app),
        apiPort: (api.address() as AddressInfo).port,
        algorithm,
        own,
        token,
        header: headerOf(token),
        claims,
        published: keys,
        trap: `http://127.0.0.1:${(trap.address() as AddressInfo).port}`,
        statusList: await (await fetch(app.url + new URL(statusOf(claims).uri).pathname)).text(),
      };
    });
    after(async () => {
      await new Promise((resolve) => {
        api.close(resolve);
        api.closeAllConnections();
      });
      await new Promise((resolve) => trap.close(resolve));
      await scene.app[Symbol.asyncDispose]();
    });

    /** Asks one of the two that take a token from its bearer, byte for byte. */
    async function present(
      port: number,
      headers: [string, string][],
      path = '/auth/me',
    ): Promise<Answer> {
      const bytes = headers.map(
        ([name, value]) => [name, Buffer.from(value).toString('latin1')] as const,
      );
      const close = ['Connection', 'close'] as const;
      const answer = await exchange(port, request('GET', path, [...bytes, close]));
      if (answer.status !== 200) bodies.push(JSON.stringify([...answer.headers]), answer.body);
      return answer;
    }

    const bearer = (token: string): [string, string][] => [['Authorization', `Bearer ${token}`]];
    const portOf = (door: 'service' | 'API') =>
      door === 'service' ? Number(new URL(scene.app.url).port) : scene.apiPort;

    async function introspect(token: string): Promise<Answer> {
      return answerOf(await scene.client.post('/oauth/introspect', { token }));
    }

    function expectProblem(answer: Answer, says: string, where: string): void {
      if (says === NO_REQUEST) {
        expect(answer.status, where).to.equal(400);
        return;
      }
      const problem = JSON.parse(answer.body) as Json;
      const [status, code, challenge] =
        says === NO_BEARER
          ? [400, 'invalid_request', 'Bearer error="invalid_request"']
          : [
              401,
              'invalid_token',
              `Bearer error="invalid_token", error_description="${says.replaceAll('"', "'")}"`,
            ];
      expect([answer.status, problem['code'], problem['detail']], where).to.deep.equal([
        status,
        code,
        says,
      ]);
      expect(answer.headers.get('www-authenticate'), where).to.equal(challenge);
    }

    /** At the service, at the API, and in the answer to an API that asks the service. */
    async function expectRefused({ name, token, says }: Attempt): Promise<void> {
      sent.add(token);
      for (const door of ['service', 'API'] as const) {
        expectProblem(await present(portOf(door), bearer(token)), says, `${name}, at the ${door}`);
      }
      const { status, body } = await introspect(token);
      bodies.push(body);
      if (token === '') expect(status).to.equal(400);
      else expect([status, body], `${name}, introspected`).to.deep.equal([200, '{"active":false}']);
    }

    /** All of them, and all in the same words: what was checked is what is read. */
    async function expectAccepted({ name, token }: Attempt): Promise<void> {
      const me = await present(portOf('service'), bearer(token));
      expect([me.status, me.body.includes('"username":"ada"')], name).to.deep.equal([200, true]);
      const { status, body } = await present(portOf('API'), bearer(token));
      expect(status, name).to.equal(200);
      const read = JSON.parse(body) as Json;
      expect(JSON.stringify(read), name).to.equal(JSON.stringify(claimsOf(token)));
      expect(read['sub'], name).to.equal(scene.claims['sub']);
      const told = JSON.parse((await introspect(token)).body) as Json;
      const expected = { ...read, active: true, token_type: 'Bearer' };
      expect(JSON.stringify(told), name).to.equal(JSON.stringify(expected));
    }

    it('sees what a good token opens', async () => {
      await expectAccepted({ name: 'as it came', token: scene.token, says: ACCEPTED });
    });

    for (const [what, forgeries] of Object.entries(FORGERIES)) {
      it(`who ${what} is refused`, async () => {
        const attempts = forgeries(scene);
        expect(attempts).not.to.have.length(0);
        for (const attempt of attempts) await expectRefused(attempt);
      });
    }

    it('who had the key itself would still be held to what a token must say', async () => {
      for (const attempt of ownWords(scene)) {
        if (attempt.says === ACCEPTED) await expectAccepted(attempt);
        else await expectRefused(attempt);
      }
    });

    it('who had the key itself would get five seconds at an API, whose clock may differ, and none at the service', async () => {
      const now = Math.floor(scene.app.clock.now() / SECOND);
      for (const [more, says] of [
        [{ exp: now - 4 }, EXPIRED],
        [{ nbf: now + 5 }, NOT_YET],
      ] as const) {
        const token = jws(scene.header, { ...scene.claims, ...more }, scene.own);
        expectProblem(await present(portOf('service'), bearer(token)), says, says);
        expect((await introspect(token)).body).to.equal('{"active":false}');
        expect((await present(portOf('API'), bearer(token))).status, says).to.equal(200);
      }
    });

    it('who had the key itself would not be let in as nobody', async () => {
      const token = jws(scene.header, { ...scene.claims, sub: '' }, scene.own);
      const answer = await present(portOf('service'), bearer(token));
      expect(answer.status).to.equal(401);
      expect((await introspect(token)).body).to.equal('{"active":false}');
    });

    it('who had the key itself could not use it with another algorithm', async () => {
      const { header, claims, own } = scene;
      const others = {
        HS256: ['HS384', 'HS512'],
        ES256: ['ES384', 'ES512'],
        RS256: ['PS256', 'RS512'],
        PS256: ['RS256', 'PS512'],
      }[algorithm];
      for (const other of others) {
        const by = { algorithm: other, key: own.key };
        const honest = jws({ ...header, alg: other }, claims, by);
        await expectRefused({ name: `as ${other}`, token: honest, says: WRONG_ALGORITHM });
        const hidden = jws(header, claims, by);
        await expectRefused({ name: `as ${other}, in secret`, token: hidden, says: BAD_SIGNATURE });
      }
    });

    if (algorithm === 'ES256') {
      it('who turns s into n - s has the same token once more, which is revoked with it', async () => {
        const ada = await signIn(scene.app, 'ada');
        const token = await ada.token();
        const { head, body, bytes } = partsOf(token);
        const s = bytesOf(ORDER - numberOf(bytes.subarray(32)), 32);
        const mirrored = Buffer.concat([bytes.subarray(0, 32), s]).toString('base64url');
        const twin = `${head}.${body}.${mirrored}`;
        expect(twin).not.to.equal(token);
        for (const text of [token, twin])
          await expectAccepted({ name: text, token: text, says: ACCEPTED });
        await scene.client.post('/oauth/revoke', { token: twin });
        for (const text of [token, twin]) {
          expect((await introspect(text)).body).to.equal('{"active":false}');
          const answer = await present(portOf('service'), bearer(text));
          expectProblem(answer, 'The token has been revoked.', 'revoked');
        }
      });
    }

    it('who sends a token that is too long is refused at once', async () => {
      const { header, claims, own } = scene;
      const stranger = strangerOf(own.algorithm);
      const long = (length: number) =>
        jws(header, { ...claims, long: 'x'.repeat(length) }, stranger);
      await expectRefused({ name: 'as long as goes', token: long(9000), says: BAD_SIGNATURE });
      for (const token of [long(20_000), 'x'.repeat(20_000), 'x.'.repeat(10_000)]) {
        sent.add(token);
        for (const door of ['service', 'API'] as const) {
          expect((await present(portOf(door), bearer(token))).status).to.equal(431);
        }
        const answer = await introspect(token);
        bodies.push(answer.body);
        expect(answer.status).to.equal(400);
        expect(JSON.parse(answer.body)).to.include({ error: 'invalid_request' });
      }
    });

    it('who presents a token in odd ways gets in with a good one in its place only', async () => {
      const { token: good, header, claims, own } = scene;
      const bad = jws(header, { ...claims, name: CANARY }, strangerOf(own.algorithm));
      sent.add(bad);
      const auth = (value: string): [string, string] => ['Authorization', value];
      const cookie = (value: string): [string, string] => ['Cookie', value];
      const TWO = 'The request holds two different tokens.';
      const TWO_HEADERS = 'There are two Authorization headers.';
      const ADDRESS =
        'A token in the address ends up in logs and histories: send it in the Authorization header.';
      const NONE = 'none';
      // a proxy in front may have looked at the other one of two: the API refuses both, the service takes the first
      const rows: [string, [string, string][], expected: string, path?: string][] = [
        ['as it should be', [auth(`Bearer ${good}`)], ACCEPTED],
        ['nothing', [], NONE],
        ['the scheme in lower case', [auth(`bearer ${good}`)], ACCEPTED],
        ['the scheme in capitals', [auth(`BEARER ${good}`)], ACCEPTED],
        ['the header in lower case', [['authorization', `Bearer ${good}`]], ACCEPTED],
        ['the header in capitals', [['AUTHORIZATION', `Bearer ${good}`]], ACCEPTED],
        ['several blanks', [auth(`Bearer    ${good}   `)], ACCEPTED],
        ['a tab before the scheme', [auth(`\tBearer ${good}`)], ACCEPTED],
        ['a tab in place of the blank', [auth(`Bearer\t${good}`)], NONE],
        ['a tab and a blank', [auth(`Bearer \t${good}`)], NO_BEARER],
        ['no blank', [auth(`Bearer${good}`)], NONE],
        ['no scheme', [auth(good)], NONE],
        ['another scheme', [auth(`Token ${good}`)], NONE],
        ['a scheme in quotes', [auth(`"Bearer" ${good}`)], NONE],
        ['Basic', [auth(`Basic ${Buffer.from(`x:${good}`).toString('base64')}`)], NONE],
        ['a name for it', [auth(`Bearer token=${good}`)], NO_BEARER],
        ['in brackets', [auth(`Bearer <${good}>`)], NO_BEARER],
        ['a parameter', [auth(`Bearer ${good}, realm="x"`)], NO_BEARER],
        ['two in one header', [auth(`Bearer ${good}, Bearer ${bad}`)], NO_BEARER],
        ['two in one header, by a blank', [auth(`Bearer ${bad} ${good}`)], NO_BEARER],
        [
          'two headers, the good one first',
          [auth(`Bearer ${good}`), auth(`Bearer ${bad}`)],
          TWO_HEADERS,
        ],
        [
          'two headers, the good one last',
          [auth(`Bearer ${bad}`), auth(`Bearer ${good}`)],
          TWO_HEADERS,
        ],
        [
          'two headers of one token',
          [auth(`Bearer ${good}`), ['authorization', `Bearer ${good}`]],
          TWO_HEADERS,
        ],
        ['a blank before the colon', [['Authorization ', `Bearer ${good}`]], NO_REQUEST],
        ['another header', [['Proxy-Authorization', `Bearer ${good}`]], NONE],
        ['a header of a proxy', [['X-Forwarded-Authorization', `Bearer ${good}`]], NONE],
        ['in the query', [], ADDRESS, `/auth/me?access_token=${good}`],
        [
          'in the query and in the header',
          [auth(`Bearer ${good}`)],
          ADDRESS,
          `/auth/me?access_token=${bad}`,
        ],
        ['in the query, escaped', [], ADDRESS, `/auth/me?x=1&access%5Ftoken=${good}`],
        ['in the query, twice', [], ADDRESS, `/auth/me?access_token=&access_token=${good}`],
        ['in the query by another name', [], NONE, `/auth/me?token=${good}`],
        ['in the query in capitals', [], NONE, `/auth/me?ACCESS_TOKEN=${good}`],
        ['in the cookie', [cookie(`jwt=${good}`)], ACCEPTED],
        ['among other cookies', [cookie(`x=jwt; jwt=${good}; jwtx=${bad}`)], ACCEPTED],
        ['a forged one in the cookie', [cookie(`jwt=${bad}`)], BAD_SIGNATURE],
        ['cookie and header alike', [auth(`Bearer ${good}`), cookie(`jwt=${good}`)], ACCEPTED],
        ['a forged one beside the cookie', [auth(`Bearer ${bad}`), cookie(`jwt=${good}`)], TWO],
        ['a forged cookie beside it', [auth(`Bearer ${good}`), cookie(`jwt=${bad}`)], TWO],
        ['two cookies of one name', [cookie(`jwt=${bad}; jwt=${good}`)], TWO],
        ['two cookie headers', [cookie(`jwt=${good}`), cookie(`jwt=${bad}`)], TWO],
        ['a cookie and a header that is none', [auth('Bearer'), cookie(`jwt=${good}`)], NO_BEARER],
        ['a cookie and another scheme', [auth('Basic eDp5'), cookie(`jwt=${good}`)], ACCEPTED],
        ['a cookie in quotes', [cookie(`jwt="${good}"`)], NOT_COMPACT],
        ['a cookie in capitals', [cookie(`JWT=${good}`)], NONE],
        ['a cookie with a prefix', [cookie(`__Host-jwt=${good}`)], NONE],
        ['a cookie with a strange blank', [cookie(`\u00A0jwt=${good}`)], NONE],
        ['an empty cookie', [cookie('jwt=')], NONE],
      ];
      for (const [name, headers, expected, path = '/auth/me'] of rows) {
        for (const door of ['service', 'API'] as const) {
          const answer = await present(portOf(door), headers, path);
          const where = `${name}, at the ${door}`;
          if (expected === ACCEPTED) {
            expect(answer.status, where).to.equal(200);
          } else if (expected === NONE) {
            expect([answer.status, answer.headers.get('www-authenticate')], where).to.deep.equal([
              401,
              'Bearer',
            ]);
            expect(JSON.parse(answer.body), where).to.include({ code: 'token_required' });
          } else if ([TWO, TWO_HEADERS, ADDRESS].includes(expected)) {
            expect(answer.status, where).to.equal(400);
            expect(JSON.parse(answer.body), where).to.include({
              code: 'invalid_request',
              detail: expected,
            });
          } else {
            expectProblem(answer, expected, where);
          }
        }
      }
      expect(bodies.join('\n')).not.to.include(good);
    });

    it('leaves no piece of a token in the log or in an answer', () => {
      expect(bodies).to.have.lengthOf.above(1000);
      const told = bodies.join('\n');
      expect(scene.app.logged()).to.include('/auth/me').and.to.include('/oauth/introspect');
      for (const where of [scene.app.logged(), told]) {
        expect(where.includes(CANARY)).to.equal(false);
        for (const odd of ['passwd', '1=1', 'UNION', 'jndi', 'X-Injected', scene.trap]) {
          expect(where.includes(odd), odd).to.equal(false);
        }
        for (const token of [...sent, scene.token]) {
          for (const part of token.split('.').filter((text) => text.length >= 16)) {
            for (const piece of [part.slice(0, 16), part.slice(-16)]) {
              expect(where.includes(piece), part).to.equal(false);
            }
          }
        }
      }
    });

    it('makes nobody call an address that a token names', async () => {
      expect(connections).to.equal(0);
      const probe = connect(Number(new URL(scene.trap).port), '127.0.0.1');
      await once(probe.resume(), 'close');
      expect(connections, 'the listener would have noticed').to.equal(1);
    });

    it('has done no harm to the good token', async () => {
      await expectAccepted({ name: 'as it came', token: scene.token, says: ACCEPTED });
      expect(scene.app.logged()).not.to.include('request failed');
    });
  });
}
