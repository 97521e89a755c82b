/** Milliseconds since 1970, where the caller brings no clock. */
export const systemNow = (): number => Date.now();

/**
 * Whether less than that span has passed since then. A clock that was set back is past every span: what was learned
 * in its future must not count as fresh until it gets there again.
 */
export function isWithin(now: number, since: number, span: number): boolean {
  return now >= since && now - since < span;
}
