/** The one door to the time. Everything that asks for it takes a `Clock`, so that a test can hold or move it. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Milliseconds to NumericDate, whole seconds rounded down (RFC 7519, section 2). */
export function numericDate(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** ISO 8601 in UTC, for people and tables. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Milliseconds from some moment on, for measuring how long something took; never goes back. */
export function monotonic(): number {
  return performance.now();
}
