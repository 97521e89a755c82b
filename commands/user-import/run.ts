import type { Readable } from 'node:stream';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Audit, WriteEvent } from '../../audit/audit.ts';
import { Problem } from '../../core/errors.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import { type ImportOutcome, importUsers } from '../../users/user-import.ts';
import type { NewUser, User } from '../../users/user-store.ts';
import { patiently } from '../patience.ts';
import { csvRows } from './csv.ts';
import { jsonlRows } from './jsonl.ts';
import { NamesSoFar } from './names-so-far.ts';
import { newUser, type Reading } from './new-user.ts';
import type { ReportLine } from './report.ts';
import type { Row } from './rows.ts';

export type Format = 'csv' | 'jsonl';

export interface Import extends Reading {
  readonly database: Database;
  readonly audit: Audit;
  readonly source: Readable;
  readonly format: Format;
  readonly dryRun: boolean;
  readonly log: Logger;
}

/** How many users are added in one transaction; while SQLite does that, nobody else can write. */
const BATCH = 200;

/** How many rows are kept until they are reported: those that are refused come to no batch. */
const ROWS = 10 * BATCH;

/** After which silence, in milliseconds, the rows that have come are dealt with, however few they are. */
const PAUSE = 500;

const NO_PASSWORD = 'Without a password: set one with "user password".';

/** A row that has been looked at. */
type Candidate = { readonly line: number; readonly username: string } & (
  { readonly user: NewUser } | { readonly refused: string }
);

/**
 * Reads users, adds those that can be, and tells what became of each row, in their order and once it is so for good.
 * @throws {Problem} `invalid_request` where the file cannot be read on
 */
export async function* runImport(job: Import): AsyncGenerator<ReportLine[]> {
  using names = new NamesSoFar();
  const rows = job.format === 'csv' ? csvRows(job.source) : jsonlRows(job.source);
  try {
    for await (const batch of batches(rows, (row) => candidate(row, job, names))) {
      const users = batch.flatMap((one) => ('user' in one ? [one.user] : []));
      const outcomeOf = await patiently(() => addAll(users, job), job.log);
      yield batch.map((one) => reportLine(one, 'user' in one ? outcomeOf(one.user) : one));
    }
  } finally {
    job.source.destroy(); // a pipe may stay open, though nobody wants to know any more
  }
}

/** Adds what can be added of a batch, on record. */
function addAll(users: readonly NewUser[], { database, audit, now, dryRun }: Import) {
  return audit.recordWith({ event: 'user.imported' }, (write) =>
    importUsers(database, users, { now, dryRun, note: (db, added) => record(write, db, added) }),
  );
}

/** How many came, and who of them with roles: those are what somebody looks for later. */
async function record(write: WriteEvent, db: Kysely<Schema>, added: readonly User[]) {
  await write(db, { details: { users: added.length } });
  for (const { id, username, roles } of added) {
    if (roles.length === 0) continue;
    const subject = { kind: 'user', id, name: username } as const;
    await write(db, { event: 'user.added', subject, details: { roles } });
  }
}

async function* batches(
  rows: AsyncIterable<Row>,
  look: (row: Row) => Candidate,
): AsyncGenerator<Candidate[]> {
  const reading = rows[Symbol.asyncIterator]();
  using pause = new Pause();
  let batch: Candidate[] = [];
  let users = 0;
  let next: Promise<IteratorResult<Row>> | undefined;
  for (;;) {
    next ??= reading.next();
    const read = await Promise.race([next, pause.began]);
    if (read !== undefined) next = undefined;
    if (read?.done === false) {
      pause.putOff();
      const one = look(read.value);
      batch.push(one);
      if ('user' in one) users += 1;
      if (users < BATCH && batch.length < ROWS) continue;
    }
    if (batch.length > 0) yield batch;
    if (read?.done) return;
    batch = [];
    users = 0;
    pause.await();
  }
}

/** Says when nothing has come for a while: who watches a pipe that stays open is to see what has come out of it. */
class Pause implements Disposable {
  began: Promise<undefined> = Promise.resolve(undefined);
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.await();
  }

  await(): void {
    clearTimeout(this.#timer);
    this.began = new Promise((resolve) => {
      this.#timer = setTimeout(resolve, PAUSE, undefined);
    });
  }

  putOff(): void {
    this.#timer?.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

function candidate({ line, fields, problem }: Row, reading: Reading, names: NamesSoFar): Candidate {
  const username = usernameIn(fields);
  if (problem !== undefined) return { line, username, refused: problem };
  try {
    const user = newUser(fields, reading);
    const refused = names.add(user, line);
    return { line, username, ...(refused === undefined ? { user } : { refused }) };
  } catch (error) {
    if (error instanceof Problem) return { line, username, refused: error.detail };
    throw error;
  }
}

/** For the report, also where it cannot be one. */
function usernameIn(fields: unknown): string {
  const has = typeof fields === 'object' && fields !== null && 'username' in fields;
  return has && typeof fields.username === 'string' ? fields.username.slice(0, 64) : '';
}

function reportLine(one: Candidate, outcome: ImportOutcome): ReportLine {
  const { line, username } = one;
  if (typeof outcome === 'object') {
    return { line, username, result: 'refused', reason: outcome.refused };
  }
  const hasNone = 'user' in one && one.user.passwordHash === undefined && outcome === 'imported';
  return { line, username, result: outcome, reason: hasNone ? NO_PASSWORD : '' };
}
