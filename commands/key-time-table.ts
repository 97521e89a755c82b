import { isoTime } from '../core/clock.ts';
import type { TimeTable } from '../tokens/key-operations.ts';
import { printTable, shortTime } from './terminal.ts';

/** A time for a person. */
export const time = (milliseconds: number) => shortTime(isoTime(milliseconds));

/** When the next key signs and the present one goes, for a person. */
export function printTimeTable({ next, present }: TimeTable): void {
  const rows = [
    [time(next.signsFrom), next.kid ?? 'a new key', `signs (${next.algorithm})`],
    ...(present === undefined || present.kid === next.kid
      ? []
      : [
          [time(present.retiresAt), present.kid, 'retires: it only verifies'],
          [time(present.goneFrom), present.kid, 'is gone'],
        ]),
  ];
  printTable(['WHEN (UTC)', 'KEY', 'WHAT'], rows);
}

/** The same for a program. */
export function tableJson({ next, present, pending }: TimeTable, dryRun: boolean) {
  return {
    changed: !pending && !dryRun,
    pending,
    next: {
      kid: next.kid ?? null,
      algorithm: next.algorithm,
      signs_from: isoTime(next.signsFrom),
    },
    present:
      present === undefined || present.kid === next.kid
        ? null
        : {
            kid: present.kid,
            retires_at: isoTime(present.retiresAt),
            gone_from: isoTime(present.goneFrom),
          },
  };
}
