import { userInfo } from 'node:os';
import { expect } from 'chai';
import type { AuditEventsTable } from '../../storage/schema.ts';
import type { Database } from '../../storage/database.ts';
import type { Selectable } from 'kysely';
import { run } from './command.ts';

export type AuditRow = Selectable<AuditEventsTable>;

/** All rows of the record, oldest first; without those of keys, which each start of a service adds. */
export async function recorded({ kysely }: Database): Promise<AuditRow[]> {
  const rows = await kysely.selectFrom('audit_events').selectAll().orderBy('id').execute();
  return rows.filter(({ event }) => !event.startsWith('key.'));
}

/** What `coatcheck audit --json` prints of a row. */
export interface OnRecord {
  readonly event: string;
  readonly actor: { readonly kind: string; readonly id: string | null };
  readonly subject: { readonly kind: string; readonly id: string; readonly name: string } | null;
  readonly session: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What `coatcheck audit` shows, in a directory with settings of its own. */
export async function onRecord(cwd: string, ...args: string[]): Promise<OnRecord[]> {
  const { code, stdout, stderr } = await run(['audit', '--json', ...args], { cwd });
  if (code !== 0) throw new Error(stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as OnRecord);
}

/** What has been done by commands, and by whoever runs the tests. */
export async function doneByCommand(cwd: string): Promise<OnRecord[]> {
  const all = await onRecord(cwd, '--limit', '100000');
  const done = all.filter(({ actor }) => actor.kind === 'cli');
  for (const { actor } of done) expect(actor.id).to.equal(userInfo().username);
  return done;
}
