/** The value below which `share` (0 to 1) of the samples lie. NaN when there are none. */
export function percentile(sorted: Float64Array, share: number): number {
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.max(0, rank)] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle. NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** A figure over several rounds: the middle one, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Spread of `values[i] / reference[i]`. Both figures of a pair come from the same round, so what
 * slows the whole machine down for a few seconds cancels out.
 */
export function ratios(values: readonly number[], reference: readonly number[]): Spread {
  return spread(values.map((value, round) => value / (reference[round] ?? Number.NaN)));
}
