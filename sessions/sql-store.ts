import { hash } from 'node:crypto';
import { type SessionData, Store } from 'express-session';
import type { Insertable, Selectable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../storage/database.ts';
import type { SessionsTable } from '../storage/schema.ts';
import { endOf, lastSeenInterval, type SessionLifetime } from './lifetime.ts';
import type { SessionStore, SessionSummary, SignIn } from './session-store.ts';

type SessionRow = Selectable<SessionsTable>;

/** What the exchange needs of a session. */
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
] as const satisfies readonly (keyof SessionsTable)[];

type SignInRow = Pick<SessionRow, (typeof SIGN_IN_COLUMNS)[number]>;

/** Sessions in the SQL database. */
export class SqlSessionStore extends Store implements SessionStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #lifetime: SessionLifetime;
  readonly #lastSeenInterval: number;
  readonly #rowById: (parameters: readonly string[]) => Promise<SessionRow | undefined>;
  readonly #signInById: (parameters: readonly string[]) => Promise<SignInRow | undefined>;
  readonly #writeSeen: (parameters: readonly (string | number)[]) => Promise<void>;
  /**
   * When the session of a sign-in that came out of the store was last seen. A sign-in that is in here has a
   * row, or had one that was removed: it may only be updated. Any other is new and may be inserted.
   */
  readonly #stored = new WeakMap<SignIn, number>();

  constructor(database: Database, clock: Clock, lifetime: SessionLifetime) {
    super();
    this.#database = database;
    this.#clock = clock;
    this.#lifetime = lifetime;
    this.#lastSeenInterval = lastSeenInterval(lifetime);
    const byId = database.kysely.selectFrom('sessions').where('id_hash', '=', '');
    this.#rowById = database.prepareFirst(byId.selectAll().compile());
    this.#signInById = database.prepareFirst(byId.select(SIGN_IN_COLUMNS).compile());
    this.#writeSeen = database.prepareRelaxed(
      database.kysely
        .updateTable('sessions')
        .set({ last_seen_at: 0, idle_expires_at: 0 })
        .where('id_hash', '=', '')
        .compile(),
    );
  }

  override get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    this.#read(id).then(
      (session) => callback(null, session),
      (error: unknown) => callback(error),
    );
  }

  async #read(id: string): Promise<SessionData | null> {
    const row = await this.#rowById([idHash(id)]);
    if (row === undefined) return null;
    const signIn = this.#alive(row);
    if (signIn === undefined) return null;
    const session: unknown = JSON.parse(row.data);
    if (!isSessionData(session)) throw new TypeError('a session in the database is damaged');
    session.passport = { user: signIn };
    return session;
  }

  async find(id: string): Promise<SignIn | undefined> {
    const row = await this.#signInById([idHash(id)]);
    return row && this.#alive(row);
  }

  /** The sign-in of a row that has not come to its end, remembered as one that is stored. */
  #alive(row: SignInRow): SignIn | undefined {
    const now = this.#clock.now();
    if (now >= row.idle_expires_at || now >= row.expires_at) return undefined;
    const signIn = signInOf(row);
    this.#stored.set(signIn, row.last_seen_at);
    return signIn;
  }

  override set(id: string, session: SessionData, callback?: (error?: unknown) => void): void {
    settle(this.#write(id, session), callback);
  }

  async #write(id: string, session: SessionData): Promise<void> {
    const signIn = session.passport?.user;
    if (signIn === undefined) return; // nobody is signed in: nothing to keep
    const now = this.#clock.now();
    const changes = { data: dataOf(session), ...this.#seen(signIn, now) };
    const { kysely } = this.#database;
    if (this.#stored.has(signIn)) {
      await kysely.updateTable('sessions').set(changes).where('id_hash', '=', idHash(id)).execute();
    } else {
      const row = { ...rowOf(id, signIn), ...changes };
      await kysely
        .insertInto('sessions')
        .values(row)
        .onConflict((conflict) => conflict.column('id_hash').doUpdateSet(row))
        .execute();
    }
    this.#stored.set(signIn, now);
  }

  /** express-session calls this at the end of every request that changed nothing. */
  override touch(id: string, session: SessionData, callback?: (error?: unknown) => void): void {
    const signIn = session.passport?.user;
    const writing = signIn && this.markSeen(id, signIn);
    if (writing === undefined) callback?.();
    else settle(writing, callback);
  }

  markSeen(id: string, signIn: SignIn): Promise<void> | undefined {
    const now = this.#clock.now();
    if (this.#seenAt(signIn, now) !== now) return undefined;
    this.#stored.set(signIn, now);
    const { last_seen_at, idle_expires_at } = this.#seen(signIn, now);
    return this.#writeSeen([last_seen_at, idle_expires_at, idHash(id)]);
  }

  endIfUnused(signIn: SignIn): number {
    return this.#seen(signIn, this.#seenAt(signIn, this.#clock.now())).idle_expires_at;
  }

  /** When the session will have been last seen after this request: now, or less than a minute ago. */
  #seenAt(signIn: SignIn, now: number): number {
    const before = this.#stored.get(signIn);
    return before === undefined || now - before >= this.#lastSeenInterval ? now : before;
  }

  #seen(signIn: SignIn, now: number) {
    const { idleExpiresAt } = endOf(this.#lifetime, signIn.createdAt, now);
    return { last_seen_at: now, idle_expires_at: Math.min(idleExpiresAt, signIn.expiresAt) };
  }

  override destroy(id: string, callback?: (error?: unknown) => void): void {
    const removal = this.#database.kysely.deleteFrom('sessions').where('id_hash', '=', idHash(id));
    settle(removal.execute(), callback);
  }

  async list(userId?: string): Promise<SessionSummary[]> {
    const now = this.#clock.now();
    let alive = this.#database.kysely
      .selectFrom('sessions')
      .selectAll()
      .where('idle_expires_at', '>', now)
      .where('expires_at', '>', now);
    if (userId !== undefined) alive = alive.where('user_id', '=', userId);
    const rows = await alive.orderBy('created_at', 'desc').orderBy('public_id').execute();
    return rows.map((row) => ({
      ...signInOf(row),
      lastSeenAt: row.last_seen_at,
      idleExpiresAt: row.idle_expires_at,
    }));
  }

  async revoke(publicId: string): Promise<boolean> {
    const { numDeletedRows } = await this.#database.kysely
      .deleteFrom('sessions')
      .where('public_id', '=', publicId)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  async revokeByUser(userId: string, except = ''): Promise<number> {
    const { numDeletedRows } = await this.#database.kysely
      .deleteFrom('sessions')
      .where('user_id', '=', userId)
      .where('public_id', '!=', except)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }
}

function idHash(id: string): string {
  return hash('sha256', id, 'base64url');
}

function dataOf({ passport: _, ...rest }: SessionData): string {
  return JSON.stringify(rest);
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
  };
}

function signInOf(row: SignInRow): SignIn {
  return {
    publicId: row.public_id,
    userId: row.user_id,
    amr: row.amr === 'bypass' ? 'bypass' : 'pwd',
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    address: row.address,
    userAgent: row.user_agent,
  };
}

/** Hands the outcome to express-session's kind of callback. */
function settle(work: Promise<unknown>, callback?: (error?: unknown) => void): void {
  work.then(
    () => callback?.(),
    (error: unknown) => callback?.(error),
  );
}

function isSessionData(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && 'cookie' in value;
}
