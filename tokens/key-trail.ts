import type { AuditEvent } from '../audit/events.ts';
import { DAY, isoTime } from '../core/clock.ts';
import type { KeyContext } from './key-context.ts';
import { goneFrom, lastOfEach, retiresAt } from './key-schedule.ts';
import type { KeyRow, NewKey } from './key-store.ts';

/** What happened longer ago is not put on record any more: it was, and may have left it since. In milliseconds. */
const PAST = 30 * DAY;

/**
 * Adds a key to the table, and to the record.
 * @param rows what the table was when that was decided
 * @returns whether it was added: `false` when another process was faster
 */
export function addKey(
  { audit, store }: KeyContext,
  added: NewKey,
  rows: readonly KeyRow[],
  event: 'key.published' | 'key.imported' = 'key.published',
): Promise<boolean> {
  const details = { algorithm: added.algorithm, signs_from: isoTime(added.signsFrom) };
  return audit.recordWith({ event, subject: { kind: 'key', id: added.kid }, details }, (write) =>
    store.add(added, rows.at(-1), (db) => write(db)),
  );
}

/** Puts on record what keys have done by the clock. Every process looks; whichever sees it first writes it. */
export async function recordMoves(
  { audit, clock }: KeyContext,
  rows: readonly KeyRow[],
): Promise<void> {
  const now = clock.now();
  for (const row of lastOfEach(rows)) {
    for (const [event, at] of movesOf(rows, row)) {
      if (at > now || at < now - PAST) continue;
      await audit.recordOnce(`${event} ${row.sequence} ${row.kid}`, () => ({
        event,
        actor: { kind: 'service' },
        subject: { kind: 'key', id: row.kid },
        details: { since: isoTime(at) },
      }));
    }
  }
}

/** What a key does from when on; never what it does not come to. */
function movesOf(rows: readonly KeyRow[], row: KeyRow): [AuditEvent['event'], number][] {
  const [retires, gone] = [retiresAt(rows, row), goneFrom(rows, row)];
  const moves: [AuditEvent['event'], number, until: number][] = [
    ['key.signing', row.signsFrom, Math.min(retires, gone)],
    ['key.retired', retires, gone],
    ['key.gone', gone, Infinity],
  ];
  return moves.flatMap(([event, at, until]) => (at < until ? [[event, at]] : []));
}
