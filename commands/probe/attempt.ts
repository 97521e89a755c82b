import type { WeaknessName } from './weaknesses.ts';

/** Something that is sent to the API and has to be refused. */
export interface Attempt {
  /** Short, and the same in every run. */
  readonly name: string;
  /** In words. */
  readonly tried: string;
  /** What is wrong with an API that accepts it. */
  readonly weakness: WeaknessName;
  /** The Authorization headers. */
  readonly authorization: readonly string[];
  /** A token in the address. */
  readonly query?: string;
  /** Whether the token points at the listener, under the name of the attempt. */
  readonly lures?: true;
  /** Until when the API may go by what it knew before, in milliseconds since 1970: if it accepts, it is asked again then. */
  readonly until?: number;
}

/** An attempt that could not be made, and why. */
export interface Omission {
  readonly name: string;
  readonly why: string;
}

export function bearer(
  name: string,
  tried: string,
  weakness: WeaknessName,
  token: string,
  more: Pick<Attempt, 'lures' | 'until'> = {},
): Attempt {
  return { name, tried, weakness, authorization: [`Bearer ${token}`], ...more };
}
