import { createPrivateKey, type KeyObject } from 'node:crypto';
import { Problem } from '../core/errors.ts';

/** What stands between BEGIN and END, and how Node calls it. */
const FORMATS: Readonly<Record<string, 'pkcs8' | 'pkcs1' | 'sec1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
};

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/;

/**
 * The private key of a PEM (RFC 7468), read strictly: libraries take what is damaged for something else, a shared
 * secret for instance.
 * @throws {Problem} `invalid_request` that tells what is wrong with the text
 */
export function privateKeyOfPem(text: string): KeyObject {
  const [label, lines] = onlyBlock(text);
  if (label === 'ENCRYPTED PRIVATE KEY' || lines.includes('ENCRYPTED')) {
    throw refused(
      'The PEM is encrypted with a passphrase. Decrypt it on the way: openssl pkcs8 -in <file> | coatcheck key import -',
    );
  }
  const type = FORMATS[label];
  if (type === undefined) throw refused(notPrivate(label));
  const key = derOf(lines);
  try {
    return createPrivateKey({ key, format: 'der', type });
  } catch {
    throw refused('The PEM is damaged: there is no key in it that can be read.');
  }
}

/** Label and content of the one block of the text. */
function onlyBlock(text: string): [label: string, lines: string] {
  refuseWrapping(text);
  // openssl ecparam -genkey writes the name of the curve before the key, which says it too
  const own = text.replace(
    /^-----BEGIN EC PARAMETERS-----[\s\S]*?-----END EC PARAMETERS-----\r?\n/,
    '',
  );
  const begins = own.match(new RegExp(BEGIN, 'g')) ?? [];
  if (begins.length > 1)
    throw refused(`The file holds ${begins.length} PEM blocks: give the key alone.`);
  const [, label = ''] = BEGIN.exec(own) ?? [];
  const [, lines, ending] =
    /^-----BEGIN [A-Z0-9 ]+-----\r?\n([\s\S]*?)\r?\n-----END ([A-Z0-9 ]+)-----\s*$/.exec(own) ?? [];
  if (lines === undefined) {
    throw refused(
      own.includes('-----END')
        ? 'The PEM is damaged: BEGIN and END must stand on lines of their own, with nothing around them.'
        : 'The PEM is cut off: its END line is missing.',
    );
  }
  if (ending !== label) throw refused('The PEM is damaged: BEGIN and END name different things.');
  return [label, lines];
}

/** What shells, YAML files and editors do to a PEM. */
const WRAPPINGS: readonly (readonly [RegExp, string])[] = [
  [/\\n/, 'has the two characters \\n where its lines should end: write real line breaks'],
  [/^\uFEFF/, 'begins with a byte order mark: save it without'],
  [/^["']|["']\s*$/, 'stands in quotation marks: remove them'],
  [/^\s|\n[ \t]+\S/, 'has blanks before its lines: remove them'],
];

function refuseWrapping(text: string): void {
  const problem = WRAPPINGS.find(([pattern]) => pattern.test(text))?.[1];
  if (problem !== undefined) throw refused(`The PEM ${problem}.`);
  if (!text.startsWith('-----BEGIN ')) {
    throw refused(
      BEGIN.test(text)
        ? 'There is something before the BEGIN line of the PEM: remove it.'
        : 'That is neither a PEM nor a JWK: a PEM begins with -----BEGIN PRIVATE KEY-----, a JWK with {.',
    );
  }
}

function derOf(lines: string): Buffer {
  const base64 = lines.replaceAll(/\r?\n/g, '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw refused('The PEM is damaged: that is not base64.');
  if (bytes.length !== lengthOfDer(bytes))
    throw refused('The PEM is cut off, or has too much in it.');
  return bytes;
}

/** How long the outermost value of a DER says it is (X.690, section 8.1.3), its head included. */
function lengthOfDer(bytes: Buffer): number {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return 2 + first;
  const count = first - 0x80;
  return count < 1 || count > 4 || bytes.length < 2 + count
    ? -1
    : 2 + count + bytes.readUIntBE(2, count);
}

function notPrivate(label: string): string {
  return /PUBLIC|CERTIFICATE/.test(label)
    ? `The PEM holds a ${label.toLowerCase()} only: to sign, the private key is needed.`
    : `The PEM holds a ${label.toLowerCase()}, which is no private key for signing.`;
}

function refused(detail: string): Problem {
  return new Problem('invalid_request', detail);
}
