import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { Logger } from 'pino';
import { type Clock, DAY, monotonic } from '../core/clock.ts';
import type { Database, Turn } from './database.ts';
import type { Schema } from './schema.ts';

/** Rows that nobody needs any more once they have come to their end. */
export interface Expired {
  /** By which processes agree on who deletes them: its own, and the same in all of them. */
  readonly name: string;
  /** What nobody else may change meanwhile. */
  readonly turn?: Turn;
  /**
   * Deletes some that came to their end at `before` or earlier, in milliseconds since 1970.
   * @param limit how many at most
   * @returns how many there were
   */
  deleteSome(db: Transaction<Schema>, before: number, limit: number): Promise<number>;
}

/** How long rows are left after their end, in milliseconds: a clock that was wrong for an hour deletes nothing. */
const DELETED_AFTER = DAY;

/** How often a process looks whether there is something to do, and how often one of them does it, in milliseconds. */
const LOOK = 60_000;
const INTERVAL = 600_000;

/**
 * While SQLite deletes a batch, nobody else can write and this process answers nothing. So batches are small, and after
 * each there is a pause so many times as long: deleting takes a hundredth of the time, and less of a machine that is busy.
 */
const BATCH = 100;
const CALM = 99;

/** The longest pause, in milliseconds: four million rows a day go in any case, as many as one core can hash passwords. */
const LONGEST_PAUSE = 2000;

interface Parts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly expired: readonly Expired[];
  /** How many times as long as a batch the pause after it is. Default: 99. */
  readonly calm?: number;
}

/**
 * Deletes what has expired, in batches, in one of all processes at a time: a row in `tasks` says when it is the next
 * time for that. Whoever deletes puts the time off with every batch; if it dies, another goes on when the time has come.
 */
export class Retention {
  readonly #parts: Parts;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does what is due every now and then, without keeping the process alive, until `stop`. */
  start(): void {
    this.#timer ??= setInterval(() => void this.run(), LOOK).unref();
  }

  /** Does what is due. Never fails: what did is tried again next time. */
  run(): Promise<void> {
    this.#round ??= this.#runAll().finally(() => (this.#round = undefined));
    return this.#round;
  }

  /** Resolves when the batch at hand is done; there is no other after it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#round;
  }

  async #runAll(): Promise<void> {
    const { expired, log } = this.#parts;
    for (const each of expired) {
      try {
        const deleted = await this.#deleteAll(each);
        if (deleted > 0) log.info({ task: each.name, deleted }, 'deleted what had expired');
      } catch (error) {
        log.error({ err: error, task: each.name }, 'what has expired could not be deleted');
      }
    }
  }

  async #deleteAll(expired: Expired): Promise<number> {
    const { signal } = this.#stopping;
    let due = signal.aborted ? undefined : await this.#claim(expired.name);
    let deleted = 0;
    while (due !== undefined) {
      const began = monotonic();
      const batch = await this.#deleteBatch(expired, due);
      deleted += batch.deleted;
      due = batch.deleted < BATCH ? undefined : batch.due;
      if (due !== undefined) await this.#rest(monotonic() - began);
      if (signal.aborted) break;
    }
    return deleted;
  }

  async #rest(worked: number): Promise<void> {
    const { calm = CALM } = this.#parts;
    const pause = Math.min(worked * calm, LONGEST_PAUSE);
    const { signal } = this.#stopping;
    await delay(pause, undefined, { signal, ref: false }).catch(() => undefined); // told to stop
  }

  /**
   * Takes the task if its time has come. A time that is further away than any process sets it comes from a clock that was
   * wrong.
   *
   * @returns the next time, by which the task is known to be this process's still; nothing if it is not
   */
  async #claim(name: string): Promise<number | undefined> {
    const { database, clock } = this.#parts;
    const now = clock.now();
    const due_at = now + INTERVAL;
    const { numInsertedOrUpdatedRows } = await database.kysely
      .insertInto('tasks')
      .values({ name, due_at })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ due_at })
          .where((eb) => eb.or([eb('tasks.due_at', '<=', now), eb('tasks.due_at', '>', due_at)])),
      )
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n ? due_at : undefined;
  }

  /** Deletes a batch and puts the time off, unless another process has taken the task. */
  #deleteBatch(expired: Expired, due: number) {
    const { database, clock } = this.#parts;
    return database.transaction(async (db) => {
      const now = clock.now();
      const { numUpdatedRows } = await db
        .updateTable('tasks')
        .set({ due_at: now + INTERVAL })
        .where('name', '=', expired.name)
        .where('due_at', '=', due)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return { deleted: 0, due };
      const deleted = await expired.deleteSome(db, now - DELETED_AFTER, BATCH);
      return { deleted, due: now + INTERVAL };
    }, expired.turn);
  }
}
