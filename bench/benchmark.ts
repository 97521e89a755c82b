import type { BenchOptions } from './options.ts';

/** Something this service set out to reach. */
export interface Aim {
  readonly aim: string;
  readonly measured: number;
  readonly met: boolean;
}

/** What a benchmark found: for people, for programs, and for judging. */
export interface Findings {
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
  readonly aims: readonly Aim[];
}

/** What a benchmark is given besides its options. */
export interface Surroundings {
  /** Aborted on Ctrl-C: stop, clean up, reject. */
  readonly signal: AbortSignal;
  /** Tells whoever waits what is going on. */
  readonly progress: (line: string) => void;
}

/** One measure that `npm run bench` can take. */
export interface Benchmark {
  readonly summary: string;
  run(options: BenchOptions, surroundings: Surroundings): Promise<Findings>;
}
