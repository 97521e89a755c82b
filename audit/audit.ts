import type { Insertable, Kysely } from 'kysely';
import type { Logger } from 'pino';
import { type Clock, MINUTE } from '../core/clock.ts';
import { canonical, visible } from '../core/text.ts';
import { afterCommit } from '../storage/after-commit.ts';
import type { Database } from '../storage/database.ts';
import type { AuditEventsTable, Schema } from '../storage/schema.ts';
import type { Actor, AuditEvent } from './events.ts';

/** Writes the row of an event in a transaction, with what has become known of it there. Its line follows the commit. */
export type WriteEvent = (db: Kysely<Schema>, known?: Partial<AuditEvent>) => Promise<void>;

/**
 * The record of what has happened: a row in `audit_events`, which nothing changes any more, and a line in the log, as far as
 * it has that level: commands keep it to warnings. Whatever fails does so with a `StorageError`: what cannot be recorded is
 * not done, or not said to be done.
 */
export interface Audit {
  /** Records what has been done by itself. */
  record(event: AuditEvent): Promise<void>;
  /** Records something that strangers can bring about, which may come often: the row does not wait for the disk. */
  recordAttempt(event: AuditEvent): Promise<void>;
  /**
   * As `recordAttempt`, but once for all processes together; with `period`, in milliseconds, once in each.
   * @param name of what is recorded once
   * @param event asked for only if it has not been recorded by this process
   */
  recordOnce(
    name: string,
    event: () => AuditEvent | Promise<AuditEvent>,
    period?: number,
  ): Promise<void>;
  /**
   * Records an event in the transaction of what it is about: both are done, or neither.
   * @param work is handed what writes the row, and need not call it if nothing has happened
   * @returns what `work` does
   */
  recordWith<T>(event: AuditEvent, work: (write: WriteEvent) => Promise<T>): Promise<T>;
}

type Row = Required<Insertable<Omit<AuditEventsTable, 'id'>>>;

/** How much of what a caller says of itself is kept, in UTF-16 code units. */
const USER_AGENT = 256;
const ADDRESS = 64;

/** So many failed attempts of each kind a process puts into the table each minute. The log has them all. */
const MOST_ATTEMPTS = 120;
/** How many names of `recordOnce` a process remembers. What it has forgotten, the table still knows. */
const REMEMBERED = 10_000;

interface Parts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who runs this process. */
  readonly actor: Actor;
}

/** The record in the SQL database. */
export class SqlAudit implements Audit {
  readonly #parts: Parts;
  /** Made when it is first wanted: the tables may be those of an older version, which are only looked at. */
  #insert: ReturnType<SqlAudit['prepared']> | undefined;
  readonly #recorded = new Set<string>();
  /** How many attempts of each kind there were in which minute: a storm of one must not hide another. */
  #attempts = { minute: 0, counts: new Map<AuditEvent['event'], number>() };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  private prepared() {
    const { database } = this.#parts;
    return database.prepareRelaxed(
      database.kysely
        .insertInto('audit_events')
        .values(this.#row({ event: 'logout' }))
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .compile(),
    );
  }

  #insertRelaxed(row: Row): Promise<{ id: number } | undefined> {
    this.#insert ??= this.prepared();
    return this.#insert(Object.values(row));
  }

  record(event: AuditEvent): Promise<void> {
    return this.recordWith(event, (write) => write(this.#parts.database.kysely));
  }

  async recordAttempt(event: AuditEvent): Promise<void> {
    const minute = Math.floor(this.#parts.clock.now() / MINUTE);
    if (this.#attempts.minute !== minute) this.#attempts = { minute, counts: new Map() };
    const { counts } = this.#attempts;
    const count = (counts.get(event.event) ?? 0) + 1;
    counts.set(event.event, count);
    if (count > MOST_ATTEMPTS) {
      const details = { limit: 'record of attempts', of: event.event };
      await this.recordOnce(
        `attempts ${event.event}`,
        () => ({ event: 'limit.reached', details }),
        MINUTE,
      );
    } else {
      await this.#insertRelaxed(this.#row(event));
    }
    this.#log(event);
  }

  async recordOnce(
    name: string,
    event: () => AuditEvent | Promise<AuditEvent>,
    period = Infinity,
  ): Promise<void> {
    const once = `${name} ${Math.floor(this.#parts.clock.now() / period)}`;
    if (this.#recorded.has(once)) return;
    const given = await event();
    const inserted = await this.#insertRelaxed(this.#row(given, once));
    if (this.#recorded.size >= REMEMBERED) this.#recorded.clear();
    this.#recorded.add(once);
    if (inserted !== undefined) this.#log(given);
  }

  recordWith<T>(event: AuditEvent, work: (write: WriteEvent) => Promise<T>): Promise<T> {
    return work(async (db, known) => {
      const whole = { ...event, ...known };
      await db.insertInto('audit_events').values(this.#row(whole)).execute();
      afterCommit(db, () => this.#log(whole));
    });
  }

  /** All columns, in one order: the prepared statement takes them by their place. */
  #row(event: AuditEvent, once: string | null = null): Row {
    const { actor = this.#parts.actor, subject } = event;
    return {
      at: this.#parts.clock.now(),
      event: event.event,
      actor_kind: actor.kind,
      actor_id: shortened(actor.id, ADDRESS),
      subject_kind: subject?.kind ?? null,
      subject_id: subject?.id ?? null,
      subject_name: subject?.name === undefined ? null : visible(canonical(subject.name)),
      session_id: event.session ?? null,
      address: shortened(event.address, ADDRESS),
      user_agent: shortened(event.userAgent, USER_AGENT),
      request_id: event.request ?? null,
      details: event.details === undefined ? null : visible(JSON.stringify(event.details)),
      once,
    };
  }

  #log({ event, actor = this.#parts.actor, subject, reason, ...more }: AuditEvent): void {
    this.#parts.log.info(
      {
        event,
        request: more.request,
        actor: actor.kind,
        actor_id: shortened(actor.id, ADDRESS) ?? undefined,
        [subject?.kind ?? 'user']: subject?.id,
        session: more.session,
        address: shortened(more.address, ADDRESS) ?? undefined,
        user_agent: shortened(more.userAgent, USER_AGENT) ?? undefined,
        details: more.details,
        reason,
      },
      'audit',
    );
  }
}

/** What a stranger may have written, as it can be shown anywhere. */
function shortened(text: string | undefined, length: number): string | null {
  return text === undefined ? null : visible(text.slice(0, length));
}
