import { isUtf8 } from 'node:buffer';
import { Problem } from '../core/errors.ts';
import { doubledKey, parsedJson } from '../core/json.ts';
import { whatElse } from './not-a-token.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** What can be read of a token without any key. None of it is to be believed before the signature is checked. */
export interface PastedToken {
  /** As it is sent: three parts with dots between them. */
  readonly jwt: string;
  readonly header: JsonObject;
  /** The claims; `undefined` where the payload is no JSON object. */
  readonly claims: JsonObject | undefined;
  /** The bytes of the payload as text, if they are one. */
  readonly payload: string | undefined;
  /** Bytes. */
  readonly signatureLength: number;
  /** A name that stands twice in one object of the header or the payload: readers differ in which they take. */
  readonly doubled: string | undefined;
}

/**
 * A token, with whatever it was copied with: `Bearer`, quotes, blanks, line breaks, or the JSON that `/auth/token`
 * answered.
 * @throws {Problem} `invalid_request` for any other text, which says what that is and repeats nothing of it
 */
export function readPasted(pasted: string): PastedToken {
  const bare = trimmed(withoutScheme(trimmed(pasted)));
  const text = tokenOfAnswer(bare) ?? bare;
  const jwt = text.replaceAll(/[\s\p{Cf}]+/gu, ''); // line breaks of terminals and mail programs
  const [header, payload, signature, ...rest] = /^[\w.+/=-]+$/.test(jwt) ? jwt.split('.') : [];
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw notAToken(whatElse(text));
  }
  const headerText = textOf(header, 'first part, the header,');
  const bytes = bytesOf(payload, 'second part, the payload,');
  const payloadText = isUtf8(bytes) ? bytes.toString('utf8') : undefined;
  return {
    jwt,
    header: headerOf(headerText),
    claims: payloadText === undefined ? undefined : asObject(parsedJson(payloadText)),
    payload: payloadText,
    signatureLength: signature === '' ? 0 : bytesOf(signature, 'third part, the signature,').length,
    doubled: doubledKey(headerText) ?? doubledKey(payloadText ?? ''),
  };
}

/** A whole Authorization header is pasted as easily as the token in it. */
export function withoutScheme(text: string): string {
  return text.replace(/^(?:authorization\s*:\s*)?bearer\s+/i, '');
}

const AROUND = /[\s\p{Cf}"'`‘’“”,;<>]/u;

/** A regular expression would begin anew at each blank of a long run of them: the square of the time. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && AROUND.test(text.charAt(start))) start += 1;
  while (end > start && AROUND.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** The token in the whole answer of `/auth/token`, or of a token endpoint elsewhere. */
function tokenOfAnswer(text: string): string | undefined {
  const answer = text.startsWith('{') ? asObject(parsedJson(text)) : undefined;
  const found = ['token', 'access_token', 'id_token'].map((name) => answer?.[name]);
  const token = found.find((value) => typeof value === 'string');
  return typeof token === 'string' ? trimmed(token) : undefined;
}

/** @throws {Problem} */
function bytesOf(part: string, name: string): Buffer {
  if (part === '') throw notAToken(`The ${name} is empty.`);
  if (!/^[\w-]+$/.test(part)) {
    throw notAToken(
      `The ${name} is base64, but not base64url: "+", "/" and "=" do not occur in tokens (RFC 7515, section 2). Something on the way has encoded it anew.`,
    );
  }
  if (part.length % 4 === 1) {
    throw notAToken(`The ${name} has lost characters: base64url never has that length.`);
  }
  return Buffer.from(part, 'base64url');
}

function textOf(part: string, name: string): string {
  const bytes = bytesOf(part, name);
  if (!isUtf8(bytes)) throw notAToken(`The ${name} is not text, so this is no JWT.`);
  return bytes.toString('utf8');
}

function headerOf(text: string): JsonObject {
  const header = asObject(parsedJson(text));
  if (header !== undefined) return header;
  throw notAToken(
    parsedJson(text) === undefined
      ? 'The first part, the header, is not JSON. Characters may be missing at the beginning: most tokens begin with "eyJ".'
      : 'The first part, the header, is JSON, but no object, so this is no JWT (RFC 7515, section 4).',
  );
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

function notAToken(detail: string): Problem {
  return new Problem('invalid_request', detail, { field: 'token' });
}
