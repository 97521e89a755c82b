import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { METHODS, validateHeaderName, validateHeaderValue } from 'node:http';
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../core/durations.ts';
import { Problem } from '../../core/errors.ts';
import { visible } from '../../core/text.ts';
import { isHmac } from '../../tokens/algorithms.ts';
import { argumentOrInput } from '../terminal.ts';
import { withoutScheme } from '../../tokens/pasted-token.ts';
import { takeApart } from '../token.ts';
import { partsOf } from './jws.ts';

export type Headers = Readonly<Record<string, string | string[]>>;

export function apiAddress(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('It must be an address with http:// or https://.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('It must not have a password in it.');
  }
  url.hash = '';
  return url;
}

export function method(text: string): string {
  const name = text.toUpperCase();
  if (METHODS.includes(name) && name !== 'CONNECT') return name;
  throw new InvalidArgumentError('It must be a method of HTTP.');
}

/** Headers that say who asks are the probe's, and those of the connection are Node's. */
const OURS = new Set([
  'authorization',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** One `--header` more. */
export function header(line: string, before: Headers): Headers {
  const colon = line.indexOf(':');
  const [name, value] = [
    line.slice(0, Math.max(colon, 0)).toLowerCase(),
    line.slice(colon + 1).trim(),
  ];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new InvalidArgumentError('It must look like "Name: value".');
  }
  if (name === 'trailer') throw new InvalidArgumentError('The probe sends nothing after a body.');
  if (OURS.has(name)) throw new InvalidArgumentError(`The probe sets ${name} itself.`);
  const earlier = Object.hasOwn(before, name) ? before[name] : undefined;
  if (name === 'host' && earlier !== undefined) {
    throw new InvalidArgumentError('There can be only one host.');
  }
  return { ...before, [name]: earlier === undefined ? value : [earlier, value].flat() };
}

/** In milliseconds. */
export function durationUpTo(most: string): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds !== undefined && seconds <= (parseDuration(most) ?? 0)) return seconds * 1000;
    throw new InvalidArgumentError(`It must be a duration such as 10s, at most ${most}.`);
  };
}

interface GoodToken {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly issue?: true;
}

/** From an option, a file or standard input; with `--issue` it may be left out. @throws {Problem} when it is no JWT */
export async function givenToken(options: GoodToken): Promise<string | undefined> {
  const { token, tokenFile, issue } = options;
  if (token === undefined && tokenFile === undefined && issue) return undefined;
  const text =
    tokenFile === undefined || tokenFile === '-'
      ? await argumentOrInput(token)
      : readFileSync(tokenFile, 'utf8').trim();
  const given = withoutScheme(text);
  const no = (why: string) => new Problem('invalid_request', `The good token is none: ${why}.`);
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(given)) {
    throw no('a JWT is three parts of base64url with dots between them');
  }
  if (partsOf(given).bytes.length === 0) throw no('its signature is not one byte long');
  const { alg } = takeApart(given).header;
  if (typeof alg !== 'string') throw no('its header has no alg');
  if (alg.startsWith('HS') && !isHmac(alg)) throw no(`there is no algorithm ${visible(alg)}`);
  return given;
}

/** The public keys of a file, if there is one. @throws {Problem} when it is no JWK Set */
export function keySet(file: string | undefined): JsonWebKey[] {
  if (file === undefined) return [];
  const no = new Problem('invalid_request', 'The file of --jwks is no set of public keys.');
  const set = parsed(readFileSync(file, 'utf8'));
  if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys))
    throw no;
  return set.keys.filter(isPublicKey);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isPublicKey(jwk: unknown): jwk is JsonWebKey {
  try {
    return (
      typeof jwk === 'object' &&
      jwk !== null &&
      createPublicKey({ key: { ...jwk }, format: 'jwk' }) !== undefined
    );
  } catch {
    return false; // of a kind that this Node does not know: nothing can be tried with it
  }
}
