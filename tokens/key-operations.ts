import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { type Algorithm, isHmac } from './algorithms.ts';
import { pairRow } from './key-changes.ts';
import type { KeyContext } from './key-context.ts';
import { importKey } from './key-import.ts';
import { generatePair } from './key-pair.ts';
import {
  goneFrom,
  type KeyStage,
  type KeyTimes,
  lastOfEach,
  newestOf,
  pendingAt,
  retiresAt,
  rotatesAt,
  signerAt,
  signsFromIfPublished,
  stageAt,
} from './key-schedule.ts';
import type { KeyRow } from './key-store.ts';
import { addKey } from './key-trail.ts';

/** A key as operators see it. Times are milliseconds since 1970. */
export interface KeyReport extends KeyStage {
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** When the schedule publishes the key after it, if it is the newest and that is not done. */
  readonly successorAt: number | undefined;
}

/** Every key in order, those that are gone included. */
export async function reportKeys({ store, clock, rhythm }: KeyContext): Promise<KeyReport[]> {
  const rows = await store.all();
  const newest = newestOf(rows);
  return lastOfEach(rows).map((row) => ({
    kid: row.kid,
    algorithm: row.algorithm,
    ...stageAt(rows, row, clock.now()),
    successorAt: row === newest && !isHmac(row.algorithm) ? rotatesAt(rows, rhythm) : undefined,
  }));
}

/** What happens when: the key that is next, and the one that signs now. */
export interface TimeTable {
  /** Its kid is not known before it is made. */
  readonly next: {
    readonly kid: string | undefined;
    readonly algorithm: Algorithm;
    readonly signsFrom: number;
  };
  readonly present:
    { readonly kid: string; readonly retiresAt: number; readonly goneFrom: number } | undefined;
  /** Whether the next key waits already, and nothing was or would be done. */
  readonly pending: boolean;
}

/**
 * Publishes the next key pair, unless one is waiting already.
 * @param dryRun changes nothing
 * @throws {Problem} `invalid_request` where there is no key yet, or a shared secret signs
 */
export async function rotateKeys(context: KeyContext, dryRun: boolean): Promise<TimeTable> {
  const { store, clock, algorithm } = context;
  const rows = await someKeys(context);
  const pending = pendingAt(rows, clock.now());
  if (pending !== undefined) return timeTable(rows, pending, clock.now(), true);
  if (isHmac(algorithm)) {
    throw new Problem(
      'invalid_request',
      `With ${algorithm} the key is JWT_SECRET_KEY: put a new secret there and the present one in front of JWT_SECRET_KEY_PREVIOUS, then start the service again. Nothing was changed.`,
    );
  }
  if (dryRun) {
    const now = clock.now();
    const signsFrom = signsFromIfPublished(rows, now, context.rhythm);
    return timeTable(rows, { kid: undefined, algorithm, signsFrom }, now, false);
  }
  const added = pairRow(context, await generatePair(algorithm), rows);
  if (!(await addKey(context, added, rows))) throw changedMeanwhile();
  return timeTable(await store.all(), added, clock.now(), false);
}

function timeTable(
  rows: readonly KeyRow[],
  next: { kid: string | undefined; algorithm: Algorithm; signsFrom: number },
  now: number,
  pending: boolean,
): TimeTable {
  const present = signerAt(rows, now);
  const { kid, algorithm, signsFrom } = next;
  const withNext: KeyTimes[] = rows.some((row) => row.kid === kid)
    ? [...rows]
    : [...rows, hypothetical(next, rows, now)];
  return {
    next: { kid, algorithm, signsFrom },
    present: present && {
      kid: present.kid,
      retiresAt: retiresAt(withNext, present),
      goneFrom: goneFrom(withNext, present),
    },
    pending,
  };
}

function hypothetical(
  { algorithm, signsFrom }: { algorithm: Algorithm; signsFrom: number },
  rows: readonly KeyRow[],
  now: number,
): KeyTimes {
  const sequence = (rows.at(-1)?.sequence ?? 0) + 1;
  return {
    sequence,
    kid: '',
    algorithm,
    publishedAt: now,
    signsFrom,
    longestToken: 0,
    goneAt: null,
  };
}

/**
 * Publishes a key from elsewhere as the next one.
 * @param algorithm left out, what the key says or fits
 * @throws {Problem} `invalid_request` when the key is refused, is known already, or another one waits for its turn
 */
export async function importNextKey(
  context: KeyContext,
  text: string,
  algorithm: string | undefined,
): Promise<TimeTable & { readonly advice: string | undefined }> {
  const { store, clock } = context;
  const { pair, advice } = importKey(text, algorithm, context.algorithm);
  const rows = await store.all();
  const now = clock.now();
  const known = rows.find(({ kid }) => kid === pair.kid);
  if (known !== undefined) {
    throw new Problem(
      'invalid_request',
      `The key ${pair.kid} is known already: it is ${stageAt(rows, known, now).state}. Nothing was changed.`,
    );
  }
  const pending = pendingAt(rows, now);
  if (pending !== undefined) {
    throw new Problem(
      'invalid_request',
      `The key ${pending.kid} waits for its turn and signs from ${isoTime(pending.signsFrom)}: import the next one after that. Nothing was changed.`,
    );
  }
  const added = pairRow(context, pair, rows);
  if (!(await addKey(context, added, rows, 'key.imported'))) throw changedMeanwhile();
  return { ...timeTable(await store.all(), added, now, false), advice };
}

/** @throws {Problem} `invalid_request` where there is no key yet */
export async function someKeys({ store }: KeyContext): Promise<KeyRow[]> {
  const rows = await store.all();
  if (rows.length > 0) return rows;
  throw new Problem(
    'invalid_request',
    'There are no keys yet: the service makes the first one when it starts. Nothing was changed.',
  );
}

export function changedMeanwhile(): Problem {
  return new Problem(
    'invalid_request',
    'Another process has changed the keys in this moment. Nothing was changed here: try again.',
  );
}
