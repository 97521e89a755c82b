import { type Algorithm, isHmac } from './algorithms.ts';

/** How far the clocks of two processes may be apart, with the seconds that one needs to hear of a change: milliseconds. */
export const SKEW = 60_000;

/** A key this close to signing may be signing already where the clock is ahead: it is not withdrawn any more. */
export const WITHDRAWAL_ENDS = 2 * SKEW;

/** What decides what a key does, and when. Times are milliseconds since 1970. */
export interface KeyTimes {
  /** Keys sign in the order of it. */
  readonly sequence: number;
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly publishedAt: number;
  readonly signsFrom: number;
  /** Seconds. */
  readonly longestToken: number;
  /** From when on it is rejected, in an emergency. */
  readonly goneAt: number | null;
}

export type KeyState = 'published' | 'signing' | 'retired' | 'gone';

/** What a key does, since when, and what it does next as far as that is known. */
export interface KeyStage {
  readonly state: KeyState;
  readonly since: number;
  readonly next: { readonly state: KeyState; readonly at: number } | undefined;
}

/** In milliseconds. */
export interface Rhythm {
  /** How long a key is published before it signs. */
  readonly publication: number;
  /** How long it signs before the next one does. */
  readonly interval: number;
}

/** Whether its turn has come or may come: one that was rejected before it could sign replaces no other. */
function hasATurn(key: KeyTimes): boolean {
  return key.goneAt === null || key.goneAt > key.signsFrom;
}

/** When the next key takes over; `Infinity` while there is none. */
export function retiresAt(keys: readonly KeyTimes[], key: KeyTimes): number {
  const later = keys.filter((one) => one.sequence > key.sequence && hasATurn(one));
  return Math.min(Infinity, ...later.map((one) => one.signsFrom));
}

/** When the last token that it signed has expired everywhere, and nothing that it signed is accepted any more. */
export function goneFrom(keys: readonly KeyTimes[], key: KeyTimes): number {
  const last = retiresAt(keys, key) + key.longestToken * 1000 + SKEW;
  return Math.min(last, key.goneAt ?? Infinity);
}

/**
 * The keys whose tokens are accepted at that time, in order: published, signing or retired. One that was rejected is
 * rejected now, whatever the clock said that it was done by.
 */
export function trustedAt<T extends KeyTimes>(keys: readonly T[], time: number): T[] {
  return keys.filter((key) => key.goneAt === null && goneFrom(keys, key) > time);
}

/**
 * The key that signs at that time: of those that are trusted the last whose turn has come. Where none has, the first
 * signs: another clock that is ahead has made it, and there is no other.
 */
export function signerAt<T extends KeyTimes>(keys: readonly T[], time: number): T | undefined {
  const trusted = trustedAt(keys, time);
  return trusted.findLast((key) => key.signsFrom <= time) ?? trusted[0];
}

export function stageAt(keys: readonly KeyTimes[], key: KeyTimes, time: number): KeyStage {
  const [retires, gone] = [retiresAt(keys, key), goneFrom(keys, key)];
  if (gone <= time || key.goneAt !== null) return { state: 'gone', since: gone, next: undefined };
  const then = (state: KeyState, at: number) => (at === Infinity ? undefined : { state, at });
  if (signerAt(keys, time) === key) {
    return { state: 'signing', since: key.signsFrom, next: then('retired', retires) };
  }
  if (key.signsFrom > time) {
    return {
      state: 'published',
      since: key.publishedAt,
      next: { state: 'signing', at: key.signsFrom },
    };
  }
  return { state: 'retired', since: retires, next: then('gone', gone) };
}

/** One row for each key: of a shared secret that signed twice the last one tells. */
export function lastOfEach<T extends KeyTimes>(keys: readonly T[]): T[] {
  return keys.filter((key) => keys.findLast(({ kid }) => kid === key.kid) === key);
}

/** The key that signs in the end, if nothing is done: the last one that was not rejected. */
export function newestOf<T extends KeyTimes>(keys: readonly T[]): T | undefined {
  return keys.findLast((key) => key.goneAt === null);
}

/** The key that is published and waits for its turn. */
export function pendingAt<T extends KeyTimes>(keys: readonly T[], time: number): T | undefined {
  const newest = newestOf(keys);
  return newest !== undefined && newest.signsFrom > time && signerAt(keys, time) !== newest
    ? newest
    : undefined;
}

/**
 * From when on a key pair that is published now signs: when whoever verifies can have it. Nobody can have kept an
 * older list of keys where there has never been a key. A clock that is behind what others have written is not believed.
 */
export function signsFromIfPublished(
  keys: readonly KeyTimes[],
  now: number,
  { publication }: Pick<Rhythm, 'publication'>,
): number {
  if (keys.length === 0) return now;
  const published = Math.max(now, ...keys.map((key) => key.publishedAt));
  return Math.max(published + publication, newestOf(keys)?.signsFrom ?? now);
}

/** From when on a shared secret signs: at once, since nobody fetches it, but not before a key that cannot be withdrawn. */
export function signsFromIfShared(keys: readonly KeyTimes[], now: number): number {
  return Math.max(now, newestOf(keys)?.signsFrom ?? now);
}

/** When the next key pair has to be published, so that it signs when the interval of the newest is over. */
export function rotatesAt(keys: readonly KeyTimes[], rhythm: Rhythm): number {
  const newest = newestOf(keys);
  if (newest === undefined || isHmac(newest.algorithm)) return Infinity;
  return newest.signsFrom + Math.max(0, rhythm.interval - rhythm.publication);
}

/** What has to be done so that the key of the settings signs. */
export type Move = 'add' | 'withdraw';

/**
 * The next step towards the algorithm of the settings and, with HS*, towards their secret: nothing when the newest
 * key is right. A key that waits for its turn and is not wanted any more is withdrawn, since it has signed nothing.
 */
export function nextMove(
  keys: readonly KeyTimes[],
  now: number,
  wanted: { readonly algorithm: Algorithm; readonly kid: string | undefined },
): Move | undefined {
  const newest = newestOf(keys);
  if (newest === undefined) return 'add';
  const isWanted =
    wanted.kid === undefined ? newest.algorithm === wanted.algorithm : newest.kid === wanted.kid;
  if (isWanted) return undefined;
  const pending = pendingAt(keys, now);
  return pending && pending.signsFrom - now > WITHDRAWAL_ENDS ? 'withdraw' : 'add';
}
