import type { TrustedKey } from '#verify';
import type { KeyContext } from './key-context.ts';
import { isOfNoUse } from './key-holder.ts';
import { type KeyState, retiresAt, stageAt } from './key-schedule.ts';
import type { KeyRow } from './key-store.ts';

/** What is known of a key that a token names. Times are milliseconds since 1970. */
export interface KeyFacts {
  readonly state: KeyState;
  /** From when on it signs or signed; nothing for a secret that only stands in the settings. */
  readonly signsFrom: number | undefined;
  /** When the next one took over; `Infinity` while there is none. */
  readonly retiredAt: number;
  /** When its tokens are or were accepted no more. */
  readonly goneAt: number | undefined;
  /** Whether it was rejected in an emergency. */
  readonly rejected: boolean;
  /** What its signatures are checked with, whether it is trusted or not; nothing where it cannot be read here. */
  readonly key: TrustedKey | undefined;
}

/** Of a secret that only stands in the settings. */
const NO_TIMES = {
  signsFrom: undefined,
  retiredAt: Infinity,
  goneAt: undefined,
  rejected: false,
} as const;

/** Of every key that is still on record, also of those that are trusted no more. */
export async function findKeyFacts(
  { store, clock, holder, shared }: KeyContext,
  kid: string,
): Promise<KeyFacts | undefined> {
  const rows = await store.all();
  const row = rows.findLast((one) => one.kid === kid); // of a shared secret with several rows the last one tells
  if (row === undefined) {
    const key = shared.unlisted(rows).find((one) => one.kid === kid);
    const state = key === shared.current ? 'signing' : 'retired'; // the current one before a server has started with it
    return key && { ...NO_TIMES, state, key };
  }
  const { state, since, next } = stageAt(rows, row, clock.now());
  return {
    state,
    signsFrom: row.signsFrom,
    retiredAt: retiresAt(rows, row),
    goneAt: state === 'gone' ? since : next?.state === 'gone' ? next.at : undefined,
    rejected: row.goneAt !== null,
    key: keyOf(row, holder),
  };
}

function keyOf(row: KeyRow, holder: KeyContext['holder']): TrustedKey | undefined {
  try {
    return holder.verifying(row);
  } catch (error) {
    if (isOfNoUse(error)) return undefined;
    throw error;
  }
}
