/** The one door to the time. Everything that asks for it takes a `Clock`, so that a test can hold or move it. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** In milliseconds. */
export const MINUTE = 60_000;
export const DAY = 86_400_000;

/** Milliseconds to NumericDate, whole seconds rounded down (RFC 7519, section 2). */
export function numericDate(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** ISO 8601 in UTC, for people and tables. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** `2026-11-25 17:41:07 UTC`, for people. */
export function utcTime(milliseconds: number): string {
  return isoTime(milliseconds)
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/**
 * A day, which begins at midnight UTC, or a moment with its zone, as ISO 8601 has it: `2026-11-25`,
 * `2026-11-25T14:30Z`, `2026-11-25T14:30:00+01:00`.
 * @returns milliseconds since 1970; `undefined` for anything else, and for a day that no calendar has
 */
export function parseTime(text: string): number | undefined {
  const day = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(
    text,
  )?.[1];
  if (day === undefined) return undefined;
  const [time, midnight] = [Date.parse(text), Date.parse(day)];
  if (Number.isNaN(time) || !isoTime(midnight).startsWith(day)) return undefined;
  return time;
}

/** Milliseconds from some moment on, for measuring how long something took; never goes back. */
export function monotonic(): number {
  return performance.now();
}
