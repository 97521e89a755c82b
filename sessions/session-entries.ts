import type { Expression, ExpressionBuilder, SqlBool, Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Change, Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import {
  type EntryHolder,
  noteChanges,
  revokeEverything,
  type StatusEntry,
} from '../storage/status-entries.ts';
import { SessionsBegan } from './renewals.ts';
import type { EndingNote, SessionOwner } from './session-store.ts';

/** A condition on the entries of status lists. */
export type WhichEntries = (
  builder: ExpressionBuilder<Schema, 'status_entries'>,
) => Expression<SqlBool>;

/** Holds what is given away ahead of a renewal: no session has it until the moment in which it is renewed. */
export const NOBODY: EntryHolder = { sessionId: '', userId: '' };

/**
 * Where sessions end that are kept elsewhere: a session that has no entry that is not revoked is none, whatever the other
 * place says.
 */
export class SessionEntries {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #stateOf: (
    parameters: readonly string[],
  ) => Promise<{ revoked_at: number | null } | undefined>;
  readonly #entryOf: (
    parameters: readonly string[],
  ) => Promise<{ list_id: string; idx: number } | undefined>;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#stateOf = database.prepareFirst(
      database.kysely
        .selectFrom('status_entries')
        .select('revoked_at')
        .where('list_id', '=', '')
        .where('idx', '=', 0)
        .compile(),
    );
    this.#entryOf = database.prepareFirst(
      database.kysely
        .selectFrom('status_entries')
        .select(['list_id', 'idx'])
        .where('session_id', '=', '')
        .where('revoked_at', 'is', null)
        .compile(),
    );
  }

  /** Whether it was given away and is not revoked. */
  async isGood({ list, index }: StatusEntry): Promise<boolean> {
    const row = await this.#stateOf([list, String(index)]);
    return row?.revoked_at === null;
  }

  /** The entry that a session has now. @returns nothing when it has ended */
  async entryOf(sessionId: string): Promise<StatusEntry | undefined> {
    const row = await this.#entryOf([sessionId]);
    return row && { list: row.list_id, index: row.idx };
  }

  /**
   * Revokes all entries of the sessions that are meant, durably.
   * @param because a change that is made with it, or neither is
   * @returns those sessions
   */
  end(which: WhichEntries, because?: Change, note?: EndingNote): Promise<EntryHolder[]> {
    return this.#database.transaction(async (db) => {
      await because?.(db);
      const revoked = await this.#revoke(db, which);
      // where that had to wait for a renewal, the new entries are to be seen only now
      revoked.push(...(await this.#revoke(db, which)));
      await noteChanges(db, listsOf(revoked));
      const ended = holdersIn(revoked);
      if (ended.length > 0) await note?.(db, ended);
      return ended;
    });
  }

  endAll(): Promise<number> {
    return revokeEverything(this.#database, this.#clock.now());
  }

  /** The sessions of that owner that have not ended here. */
  async heldBy(owner: SessionOwner): Promise<EntryHolder[]> {
    const rows = await this.#database.kysely
      .selectFrom('status_entries')
      .select(['session_id', 'user_id'])
      .where(ofOwner(owner))
      .where('revoked_at', 'is', null)
      .execute();
    return holdersIn(rows);
  }

  /**
   * Revokes the entries of all sessions of an owner, and gives each the one that is ready for it: one step, with a change.
   * @param ready by session; a session that is to have none ends
   * @returns the sessions that have a new one
   * @throws {SessionsBegan} when there is a session that `ready` does not speak of
   */
  renew(
    owner: SessionOwner,
    ready: ReadonlyMap<string, StatusEntry | undefined>,
    because?: Change,
  ): Promise<string[]> {
    return this.#database.transaction(async (db) => {
      await because?.(db);
      const revoked = await this.#revoke(db, ofOwner(owner));
      const renewed: string[] = [];
      for (const { sessionId, userId } of holdersIn(revoked)) {
        if (!ready.has(sessionId)) throw new SessionsBegan();
        const entry = ready.get(sessionId);
        if (entry === undefined) continue;
        renewed.push(sessionId);
        await db
          .updateTable('status_entries')
          .set({ session_id: sessionId, user_id: userId })
          .where('list_id', '=', entry.list)
          .where('idx', '=', entry.index)
          .where('revoked_at', 'is', null)
          .execute();
      }
      await noteChanges(db, listsOf(revoked));
      return renewed;
    });
  }

  #revoke(db: Transaction<Schema>, which: WhichEntries): Promise<RevokedRow[]> {
    return db
      .updateTable('status_entries')
      .set({ revoked_at: this.#clock.now() })
      .where(which)
      .where('revoked_at', 'is', null)
      .returning(['list_id', 'session_id', 'user_id'])
      .execute();
  }
}

function ofOwner(owner: SessionOwner): WhichEntries {
  return (eb) =>
    'userId' in owner ? eb('user_id', '=', owner.userId) : eb('session_id', '=', owner.publicId);
}

interface Row {
  readonly session_id: string | null;
  readonly user_id: string | null;
}

interface RevokedRow extends Row {
  readonly list_id: string;
}

function listsOf(rows: readonly RevokedRow[]): Set<string> {
  return new Set(rows.map(({ list_id }) => list_id));
}

/** Each session once. */
function holdersIn(rows: readonly Row[]): EntryHolder[] {
  const holders = new Map<string, EntryHolder>();
  for (const { session_id: sessionId, user_id: userId } of rows) {
    if (sessionId === null || userId === null) continue; // no condition on them is true for null
    holders.set(sessionId, { sessionId, userId });
  }
  return [...holders.values()];
}
