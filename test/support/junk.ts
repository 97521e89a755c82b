import fc from 'fast-check';
import { CANARY } from './fuzz.ts';

/** What a route that takes a body wants in it, for spoiling it. */
export interface Wanted {
  readonly path: string;
  readonly required: readonly string[];
}

export const BODIES: readonly Wanted[] = [
  { path: '/auth/login', required: ['username', 'password'] },
  { path: '/auth/register', required: ['username', 'password'] },
  { path: '/auth/password', required: ['current_password', 'new_password'] },
  { path: '/auth/email', required: ['current_password'] },
  { path: '/auth/sessions/end', required: ['scope'] },
  { path: '/inspect', required: ['token'] },
];

/** A request body with its content type, as sent. */
export interface Body {
  readonly type: string;
  readonly text: string;
  /** How the text becomes bytes; UTF-8 unless it says otherwise. */
  readonly as?: BufferEncoding;
}

export function bytesOf({ text, as }: Body): Buffer<ArrayBuffer> {
  return Buffer.from(text, as);
}

type Field = readonly [name: string, json: string];

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
/** What no required field can be, as JSON: not only values, but also what a parser makes of odd spellings. */
const wrongValue = fc.oneof(
  fc.constantFrom(
    '1e400',
    '-1e400',
    '0',
    'true',
    'false',
    'null',
    '""',
    '[]',
    '{}',
    '-0',
    '1e-400',
  ),
  fc.constantFrom('["ada"]', '{"toString":"ada"}', '{"length":3}', '[[[]]]', '{"$ne":null}'),
  fc.constantFrom('"a\\u0000b"', '"\\ud800b"', '"b\\udfff"'),
  fc.nat(4).map((extra) => JSON.stringify('x'.repeat(4097 + extra))),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify([value])),
);
const surplusName = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'roles', 'id', 'amr', ''),
  fc.constantFrom('Username', 'username ', 'username[]', 'returnTo[]', 'hasOwnProperty', 'isAdmin'),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => `x${text}`),
);

/** Valid fields of a body, spelt as JSON. */
function fieldsOf({ required }: Wanted): Field[] {
  return required.map((name) => [name, JSON.stringify(valueOf(name))]);
}

/** A username may come back, in the form that is shown again; a password never. */
function valueOf(name: string): string {
  return name === 'username' ? 'nobody' : `${name}-${CANARY}`;
}

function object(fields: readonly Field[]): string {
  return `{${fields.map(([name, json]) => `${spelt(name)}:${json}`).join(',')}}`;
}

function spelt(name: string): string {
  return name.startsWith('"') ? name : JSON.stringify(name);
}

/** Some spelling of a JSON string: each character as it is or as `\uXXXX`, in either case of the digits. */
export function spelling(text: string): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom('plain', 'lower', 'upper'), {
      minLength: text.length,
      maxLength: text.length,
    })
    .map(
      (ways) =>
        `"${text
          .split('')
          .map((character, index) => escaped(character, ways[index]))
          .join('')}"`,
    );
}

function escaped(character: string, way: string | undefined): string {
  if (way === 'plain') return character;
  const digits = character.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${way === 'upper' ? digits.toUpperCase() : digits}`;
}

/** Objects in which one of the fields is there twice, in whatever spelling, order and surroundings. */
export function doubledJson(wanted: Wanted): fc.Arbitrary<string> {
  return fc.constantFrom(...wanted.required).chain((name) =>
    fc
      .tuple(spelling(name), fc.constantFrom('', ' ', '\n', '\t\r\n'), fc.boolean(), fc.nat(2))
      .map(([again, blank, sameValue, at]) => {
        const fields = fieldsOf(wanted);
        const value = sameValue ? (fields.find(([key]) => key === name)?.[1] ?? '""') : '"other"';
        return object(fields.toSpliced(at, 0, [`${again}${blank}`, value]));
      }),
  );
}

function spoiltJson(wanted: Wanted): fc.Arbitrary<string> {
  const fields = fieldsOf(wanted);
  const whole = object(fields);
  const one = fc.constantFrom(...wanted.required);
  return fc.oneof(
    fc
      .tuple(one, wrongValue)
      .map(([name, json]) =>
        object(fields.map((field) => (field[0] === name ? [name, json] : field))),
      ),
    one.map((name) => object(fields.filter(([key]) => key !== name))),
    fc
      .tuple(surplusName, fc.jsonValue({ maxDepth: 2 }), fc.boolean())
      .map(([name, value, first]) =>
        object(fields.toSpliced(first ? 0 : fields.length, 0, [name, JSON.stringify(value)])),
      ),
    doubledJson(wanted),
    fc.nat(whole.length - 2).map((length) => whole.slice(0, length + 1)),
    fc.constantFrom(
      `[${whole}]`,
      JSON.stringify(whole),
      'null',
      '1e400',
      'true',
      '[]',
      '""',
      'NaN',
    ),
    fc.constantFrom(
      `${whole}}`,
      `${whole},`,
      `${whole}\0`,
      `/**/${whole}`,
      whole.replaceAll('"', "'"),
    ),
    fc
      .constantFrom('[', '{"a":', '[{"":')
      .map((bracket) => object([...fields, ['x', bracket.repeat(10_000 / bracket.length)]])),
    fc.constant(object([...fields, ['x', `${'['.repeat(7000)}${']'.repeat(7000)}`]])),
    fc.constant(`${'['.repeat(5000)}${']'.repeat(5000)}`),
  );
}

const badUtf8 = fc.constantFrom(
  '\xff',
  '\xc0\xaf',
  '\xed\xa0\x80',
  '\xf5\x80\x80\x80',
  '\xe2\x82',
  '\x80',
);

function spoiltForm({ required }: Wanted): fc.Arbitrary<string> {
  const pairs = required.map((name) => `${name}=${valueOf(name)}`);
  return fc.oneof(
    fc.nat(required.length - 1).map((at) => pairs.toSpliced(at, 1).join('&')),
    fc.nat(required.length - 1).map((at) => [...pairs, pairs[at]].join('&')),
    fc.nat(required.length - 1).map((at) => pairs.with(at, `${required[at] ?? ''}=`).join('&')),
    fc.nat(required.length - 1).map((at) => pairs.with(at, `${required[at] ?? ''}[]=a`).join('&')),
    fc
      .constantFrom('%', '%0', '%zz', '%ff', '%C0%AF', '%ED%A0%80', '%00')
      .map((junk) => `${pairs.join('&')}${junk}`),
    fc
      .constantFrom('__proto__=1', '__proto__[a]=1', 'constructor=1', 'roles=admin')
      .map((junk) => [...pairs, junk].join('&')),
    fc.constantFrom('', '&', '=', '&&&&', 'a'.repeat(3000), '[]=1', '%5B', 'a=b&'.repeat(2000)),
  );
}

/** A body that no route can make sense of, or not that route: each is to be refused, and why is the app's to say. */
export function spoiltBody(wanted: Wanted): fc.Arbitrary<Body> {
  const whole = object(fieldsOf(wanted));
  const json = spoiltJson(wanted).map((text) => ({ type: JSON_TYPE, text }));
  const form = spoiltForm(wanted).map((text) => ({ type: FORM_TYPE, text }));
  const pairs = wanted.required.map((name) => `${name}=${valueOf(name)}`).join('&');
  const badBytes = fc
    .tuple(badUtf8, fc.boolean())
    .map(([junk, inForm]) =>
      inForm
        ? { type: FORM_TYPE, text: pairs + junk, as: 'latin1' as const }
        : { type: JSON_TYPE, text: `${whole.slice(0, -2)}${junk}"}`, as: 'latin1' as const },
    );
  const huge = fc
    .tuple(fc.constantFrom(16_385, 100_000, 1_048_576), fc.constantFrom(JSON_TYPE, FORM_TYPE))
    .map(([size, type]) => ({ type, text: `{"password":"${CANARY}`.padEnd(size, 'x') }));
  const otherCharset = fc
    .constantFrom('utf-16', 'utf-16le', 'UTF-16', 'utf-32', 'utf-7', 'iso-8859-1', 'bogus', "'")
    .map((charset) => ({
      type: `${JSON_TYPE}; charset=${charset}`,
      text: whole,
      ...(charset.includes('16') ? { as: 'utf16le' as const } : {}),
    }));
  const otherType = fc
    .constantFrom(
      'text/plain',
      'text/html',
      'application/xml',
      'application/jsonp',
      'application/json5',
      'application/json, application/json',
      'application/x-www-form-urlencoded, application/json',
      'multipart/form-data; boundary=x',
      'multipart/form-data',
      'application/octet-stream',
      '*/*',
      'json',
      '/',
      ';',
      'a'.repeat(2000),
    )
    .map((type) => ({ type, text: whole }));
  const multipart = {
    type: 'multipart/form-data; boundary=x',
    text: `--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n${CANARY}\r\n--x--\r\n`,
  };
  return fc.oneof<fc.MaybeWeightedArbitrary<Body>[]>(
    { weight: 8, arbitrary: json },
    { weight: 3, arbitrary: form },
    badBytes,
    huge,
    otherCharset,
    otherType,
    fc.constant(multipart),
  );
}

/** Query strings, without the question mark: arrays, prototypes, bad escapes, NUL, megabytes as far as they fit. */
export const junkQuery: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', '&', '=', '?', '??', '%', '%zz', '%00', '%ff', '&&&=&', '[]=', 'a[b][c]=d'),
  fc.constantFrom(
    '__proto__=1',
    '__proto__[x]=1',
    'constructor[prototype][x]=1',
    'hasOwnProperty=1',
  ),
  fc.constantFrom('returnTo=//evil.example', 'returnTo=a&returnTo=b', 'returnTo=%0d%0aX-Evil:%201'),
  fc.constantFrom('changed=password&changed=1', 'changed[]=password', '_method=DELETE'),
  fc.constant(`access_token=${CANARY}`),
  fc.constant(`username=${CANARY}&password=${CANARY}`),
  fc.nat(8000).map((length) => `x=${'y'.repeat(length)}`),
  fc.nat(2000).map((length) => 'a&'.repeat(length)),
  fc.webQueryParameters(),
);

/** Where a route takes something from the query, wrong values for it. None of them signs anybody in. */
export const junkToken: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    'token=',
    'token=a&token=b',
    'token[]=a',
    'token=%00',
    'token=%ff',
    'token=%',
    'tOken=a',
  ),
  fc.constantFrom(
    'token=..',
    'token=%2e%2e%2f',
    'token=a%20b',
    'token=a%40b',
    'token=%0d%0a',
    'token=@',
  ),
  fc.constant(`token=-${CANARY}`),
  fc.nat(4000).map((length) => `token=${'y'.repeat(65 + length)}`),
  fc.constantFrom('token=<script>', 'token={}', 'token=__proto__%00', 'token=%ed%a0%80', 'token'),
);

/** Cookie headers of every kind but a good one. */
export const junkCookie: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ';',
    '=',
    'session',
    'session=',
    'session=;session=',
    'session=%',
    'session=%zz',
  ),
  fc.constantFrom(
    'session=s%3A',
    'session=s%3A.',
    'session=s:..',
    'session=j%3A%7B%7D',
    'session="s:"',
  ),
  fc.constantFrom(
    '__proto__=1; session=1',
    '__Host-session=1',
    'SESSION=s%3Aa.b',
    'session=s%3A%00.a',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }).map((text) => {
    return `session=s%3A${encodeURIComponent(text)}.${CANARY}`;
  }),
  fc.base64String({ minLength: 20, maxLength: 44 }).map((text) => `session=s%3A${CANARY}.${text}`),
  fc.nat(9000).map((length) => `session=s%3A${'x'.repeat(length)}.${CANARY}`),
  fc.nat(300).map((count) => Array.from({ length: count }, (_, at) => `c${at}=${at}`).join('; ')),
  fc.nat(40).map((count) => 'session=s%3Aa.b; '.repeat(count)),
);

/** Methods that a route may not have. CONNECT is none of the app's: Node hangs up. */
export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
] as const;
export const RARE_METHODS = [
  'PROPFIND',
  'SEARCH',
  'QUERY',
  'PURGE',
  'MKCOL',
  'LINK',
  'NOTIFY',
] as const;
