import { METHODS, validateHeaderName, validateHeaderValue } from 'node:http';
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../core/durations.ts';

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
