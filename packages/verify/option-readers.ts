import { isObject } from './json.ts';

/** Callers without TypeScript may give anything, or leave out what the types demand. */
export function isBlank(text: unknown): boolean {
  return typeof text !== 'string' || text.trim() === '';
}

export function demandFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`);
}

export function readFlag(name: string, value: unknown, otherwise: () => boolean): boolean {
  if (value === undefined) return otherwise();
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`);
  return value;
}

export function readAudience(audience: unknown): readonly string[] | undefined {
  if (audience === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  const names = list.filter((name) => typeof name === 'string');
  if (names.length === 0 || names.length !== list.length || names.some(isBlank)) {
    throw new TypeError('audience must not be empty: a text, or a list of texts');
  }
  return names;
}

export function readCacheSize(cache: unknown): number {
  if (cache === undefined) return 10_000;
  if (cache === false) return 0;
  const size = isObject(cache) ? cache['size'] : undefined;
  if (typeof size === 'number' && Number.isSafeInteger(size) && size > 0) return size;
  throw new TypeError('cache must be false or { size }, a number of tokens from 1');
}

/** Not `'5'` either: `now + '5'` would be a text, which is later than any time. */
export function readClockTolerance(seconds: unknown = 5): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= 600) return seconds;
  throw new TypeError('clockTolerance must be a number of seconds from 0 to 600');
}
