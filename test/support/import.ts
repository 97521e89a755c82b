import { Readable } from 'node:stream';
import pino from 'pino';
import { SqlAudit } from '../../audit/audit.ts';
import type { ReportLine } from '../../commands/user-import/report.ts';
import { type Import, runImport } from '../../commands/user-import/run.ts';
import { systemClock } from '../../core/clock.ts';
import type { Database } from '../../storage/database.ts';

/** Some moment after all that the tests import. */
const NOW = Date.parse('2026-11-01T00:00:00Z');

/** A text, or bytes in pieces. */
export type File = string | Iterable<Uint8Array>;

/** Imports a file and tells what became of each row. */
export async function imported(
  database: Database,
  file: File,
  options: Partial<Omit<Import, 'database' | 'source'>> = {},
): Promise<ReportLine[]> {
  const pieces = typeof file === 'string' ? [Buffer.from(file)] : file;
  const source = Readable.from(pieces, { objectMode: false });
  const lines: ReportLine[] = [];
  const log = pino({ level: 'silent' });
  const job = {
    database,
    audit: new SqlAudit({ database, clock: systemClock, log, actor: { kind: 'cli' } }),
    source,
    format: 'csv',
    dryRun: false,
    now: NOW,
    log,
    ...options,
  } as const;
  for await (const more of runImport(job)) lines.push(...more);
  return lines;
}

/** `3 refused ada: There is …`, for a look at all of them. */
export function inShort({ line, result, username, reason }: ReportLine): string {
  return `${line} ${result} ${username}${reason && `: ${reason}`}`;
}
