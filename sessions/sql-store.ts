import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Change, Database } from '../storage/database.ts';
import type { SessionsTable } from '../storage/schema.ts';
import { withSignOut } from '../storage/sign-outs.ts';
import { revokeEverything } from '../storage/status-entries.ts';
import { entryOf, removeSessions, type Which } from './endings.ts';
import type { SessionLifetime } from './lifetime.ts';
import { renewSessions } from './renewals.ts';
import type {
  AllocateEntry,
  EndingNote,
  SessionOwner,
  SessionStore,
  SessionSummary,
  SignIn,
} from './session-store.ts';
import { type Found, type FoundWhole, idHash, type Seen, SessionStoreBase } from './store-base.ts';

type SessionRow = Selectable<SessionsTable>;

/** What the exchange, and a list, need of a session. */
const SIGN_IN_COLUMNS = [
  'public_id',
  'user_id',
  'amr',
  'created_at',
  'last_seen_at',
  'idle_expires_at',
  'expires_at',
  'address',
  'user_agent',
  'status_list',
  'status_index',
] as const satisfies readonly (keyof SessionsTable)[];

/** How many sessions are deleted in one step. */
const BATCH = 1000;

type SignInRow = Pick<SessionRow, (typeof SIGN_IN_COLUMNS)[number]>;

/** Sessions in the SQL database. */
export class SqlSessionStore extends SessionStoreBase implements SessionStore {
  readonly #database: Database;
  readonly #rowById: (
    parameters: readonly string[],
  ) => Promise<(SignInRow & Pick<SessionRow, 'data'>) | undefined>;
  readonly #signInById: (parameters: readonly string[]) => Promise<SignInRow | undefined>;
  readonly #writeSeen: (parameters: readonly (string | number)[]) => Promise<unknown>;

  constructor(database: Database, clock: Clock, lifetime: SessionLifetime) {
    super(clock, lifetime);
    this.#database = database;
    // a process of before the status lists may still be running: what it lets in could not be revoked
    const byId = database.kysely
      .selectFrom('sessions')
      .where('id_hash', '=', '')
      .where('status_list', 'is not', null);
    // named one by one: a newer process may add columns meanwhile
    this.#rowById = database.prepareFirst(byId.select([...SIGN_IN_COLUMNS, 'data']).compile());
    this.#signInById = database.prepareFirst(byId.select(SIGN_IN_COLUMNS).compile());
    this.#writeSeen = database.prepareRelaxed(
      database.kysely
        .updateTable('sessions')
        .set({ last_seen_at: 0, idle_expires_at: 0 })
        .where('id_hash', '=', '')
        .compile(),
    );
  }

  protected async lookUp(id: string): Promise<Found | undefined> {
    const row = await this.#signInById([idHash(id)]);
    return row && foundIn(row);
  }

  protected async lookUpWhole(id: string): Promise<FoundWhole | undefined> {
    const row = await this.#rowById([idHash(id)]);
    return row && { ...foundIn(row), data: row.data };
  }

  protected async update(id: string, _signIn: SignIn, data: string, seen: Seen): Promise<void> {
    await this.#database.kysely
      .updateTable('sessions')
      .set(changesOf(data, seen))
      .where('id_hash', '=', idHash(id))
      .execute();
  }

  protected async insert(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void> {
    const changes = changesOf(data, seen);
    const row = { ...rowOf(id, signIn), ...changes };
    while (!(await this.#begin(row, changes, signIn)));
  }

  /**
   * Writes a sign-in in place of any other under its id.
   * @returns whether it could: `false` when yet another came in between, which is then the one to replace
   */
  #begin(
    row: Insertable<SessionsTable>,
    changes: Updateable<SessionsTable>,
    signIn: SignIn,
  ): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      await this.conditionOf(signIn)?.(db);
      await removeSessions(db, this.clock.now(), (eb) =>
        eb.and([eb('id_hash', '=', row.id_hash), eb('public_id', '!=', row.public_id)]),
      );
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('sessions')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .column('id_hash')
            .doUpdateSet(changes)
            .where('sessions.public_id', '=', row.public_id),
        )
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows !== 1n) return false;
      await this.noteOf(signIn)?.(db);
      return true;
    });
  }

  protected async writeSeen(id: string, _signIn: SignIn, seen: Seen): Promise<void> {
    await this.#writeSeen([seen.lastSeenAt, seen.idleExpiresAt, idHash(id)]);
  }

  protected end(id: string): Promise<number> {
    return this.#end((eb) => eb('id_hash', '=', idHash(id)));
  }

  async list(userId?: string): Promise<SessionSummary[]> {
    const now = this.clock.now();
    let alive = this.#database.kysely
      .selectFrom('sessions')
      .select(SIGN_IN_COLUMNS)
      .where('idle_expires_at', '>', now)
      .where('expires_at', '>', now);
    if (userId !== undefined) alive = alive.where('user_id', '=', userId);
    const rows = await alive.orderBy('created_at', 'desc').orderBy('public_id').execute();
    return rows.map((row) => {
      const { signIn, ...seen } = foundIn(row);
      return { ...signIn, ...seen };
    });
  }

  async revoke(publicId: string, note?: EndingNote): Promise<boolean> {
    return (await this.#end((eb) => eb('public_id', '=', publicId), undefined, note)) > 0;
  }

  async revokeOfUser(userId: string, publicId: string, note?: EndingNote): Promise<boolean> {
    const ended = await this.#end(
      (eb) => eb.and([eb('public_id', '=', publicId), eb('user_id', '=', userId)]),
      undefined,
      note,
    );
    return ended > 0;
  }

  revokeByUser(userId: string, except = '', because?: Change, note?: EndingNote): Promise<number> {
    return this.#end(
      (eb) => eb.and([eb('user_id', '=', userId), eb('public_id', '!=', except)]),
      withSignOut(userId, because),
      note,
    );
  }

  async revokeAll(): Promise<number> {
    const revoked = await revokeEverything(this.#database, this.clock.now());
    const some = this.#database.kysely
      .deleteFrom('sessions')
      .where('id_hash', 'in', (eb) => eb.selectFrom('sessions').select('id_hash').limit(BATCH));
    while (Number((await some.executeTakeFirst()).numDeletedRows) === BATCH);
    return revoked;
  }

  #end(which: Which, because?: Change, note?: EndingNote): Promise<number> {
    return this.#database.transaction(async (db) => {
      await because?.(db);
      const ended = await removeSessions(db, this.clock.now(), which);
      if (ended.length > 0) await note?.(db, ended);
      return ended.length;
    });
  }

  renewStatus(owner: SessionOwner, allocate: AllocateEntry, because?: Change): Promise<number> {
    return renewSessions(this.#database, this.clock, owner, allocate, because);
  }
}

function changesOf(data: string, { lastSeenAt, idleExpiresAt }: Seen) {
  return { data, last_seen_at: lastSeenAt, idle_expires_at: idleExpiresAt };
}

function rowOf(
  id: string,
  signIn: SignIn,
): Omit<Insertable<SessionsTable>, 'data' | 'last_seen_at' | 'idle_expires_at'> {
  return {
    id_hash: idHash(id),
    public_id: signIn.publicId,
    user_id: signIn.userId,
    amr: signIn.amr,
    created_at: signIn.createdAt,
    expires_at: signIn.expiresAt,
    address: signIn.address,
    user_agent: signIn.userAgent,
    status_list: signIn.status.list,
    status_index: signIn.status.index,
  };
}

function foundIn(row: SignInRow): Found {
  const signIn: SignIn = {
    publicId: row.public_id,
    userId: row.user_id,
    amr: row.amr === 'bypass' ? 'bypass' : 'pwd',
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    address: row.address,
    userAgent: row.user_agent,
    status: entryOf(row),
  };
  return { signIn, lastSeenAt: row.last_seen_at, idleExpiresAt: row.idle_expires_at };
}
