import { hash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Insertable } from 'kysely';
import type { SessionsTable, StatusEntriesTable, UsersTable } from '../storage/schema.ts';
import { idHash } from '../sessions/store-base.ts';
import { signedCookie } from '../test/support/session.ts';
import type { OpenSession } from './sessions.ts';

/** Many sessions to a user, as after months of use. */
const SESSIONS_PER_USER = 100;

/** A list has so many entries, and when nine tenths are taken, the service soon opens the next. */
const LIST_SIZE = 2 ** 17;
const LIST_FILL = Math.floor(LIST_SIZE * 0.9);

/** Odd, so that its multiples come to every entry of a list once, in no order that a database could make use of. */
const SCATTER = 40_503;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LIFETIME = 7 * DAY;
const IDLE = DAY;
const SKEW = 660_000;

/** A session as the tables have it. */
export interface StoredSession {
  readonly session: Insertable<SessionsTable>;
  readonly entry: Insertable<StatusEntriesTable>;
}

/**
 * Users and their sessions, in the rows that the service writes at sign-in. They are made when they are asked for, in
 * the order in which they began: nobody has a million of them in memory.
 *
 * They were last seen an hour from now. Otherwise exchanges would note that they are in use, each session once a minute:
 * a thousand sessions hardly ever, a hundred thousand all the time, however many others are stored.
 */
export class Population {
  readonly count: number;
  /** Signs the cookies. */
  readonly secret = randomBytes(64).toString('hex');
  readonly #now: number;
  readonly #lastSeenAt: number;
  readonly #salt = randomUUID();
  readonly #users: readonly string[];
  readonly #lists: readonly string[];

  /**
   * @param count how many sessions
   * @param lastSeenAt when each was seen last, if not an hour from now
   */
  constructor(count: number, now: number, lastSeenAt = now + HOUR) {
    this.count = count;
    this.#now = now;
    this.#lastSeenAt = lastSeenAt;
    this.#users = Array.from({ length: Math.ceil(count / SESSIONS_PER_USER) }, () => randomUUID());
    this.#lists = Array.from({ length: Math.ceil(count / LIST_FILL) }, () =>
      randomBytes(16).toString('base64url'),
    );
  }

  *users(): Generator<Insertable<UsersTable>> {
    for (const [index, id] of this.#users.entries()) {
      const username = nameOf(index);
      yield {
        id,
        username,
        username_canonical: username,
        email: `${username}@example.org`,
        email_canonical: `${username}@example.org`,
        name: `User ${index}`,
        password_hash: `$argon2id$v=19$m=19456,t=2,p=1$${randomBytes(16).toString('base64')}$${randomBytes(32).toString('base64')}`,
        sign_outs: 0,
        roles: '["editor"]',
        created_at: this.#now - 365 * DAY,
        updated_at: this.#now - 365 * DAY,
      };
    }
  }

  *lists() {
    for (const [index, id] of this.#lists.entries()) {
      yield { id, created_at: this.#now - 5 * DAY + index, version: 1 };
    }
  }

  *sessions(): Generator<StoredSession> {
    for (let index = 0; index < this.count; index += 1) yield this.#session(index);
  }

  #session(index: number): StoredSession {
    const created_at = Math.floor(this.#now - 5 * DAY * (1 - index / this.count));
    const last_seen_at = this.#lastSeenAt;
    const expires_at = created_at + LIFETIME;
    const user_id = this.#users[this.#userOf(index)] ?? '';
    const public_id = randomUUID();
    const list = this.#lists[Math.floor(index / LIST_FILL)] ?? '';
    const idx = ((index % LIST_FILL) * SCATTER) % LIST_SIZE;
    return {
      session: {
        id_hash: idHash(this.#idOf(index)),
        public_id,
        user_id,
        amr: 'pwd',
        created_at,
        last_seen_at,
        idle_expires_at: last_seen_at + IDLE,
        expires_at,
        address: `192.0.2.${index % 256}`,
        user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
        data: dataOf(expires_at),
        status_list: list,
        status_index: idx,
      },
      entry: { list_id: list, idx, expires_at: expires_at + SKEW, session_id: public_id, user_id },
    };
  }

  /** Some of the sessions, drawn from all of them, as their browsers hold them. */
  some(count: number): OpenSession[] {
    const drawn = new Set<number>();
    const enough = Math.min(count, this.count);
    while (drawn.size < enough) drawn.add(randomInt(this.count));
    return [...drawn].map((index) => ({
      username: nameOf(this.#userOf(index)),
      cookie: `session=${signedCookie(this.#idOf(index), this.secret)}`,
    }));
  }

  #userOf(index: number): number {
    return index % this.#users.length;
  }

  /** As long as those of express-session, and the same whenever it is asked for. */
  #idOf(index: number): string {
    return hash('sha256', `${this.#salt} ${index}`, 'base64url').slice(0, 32);
  }
}

function nameOf(user: number): string {
  return `user${user}`;
}

/** What express-session keeps besides the sign-in. */
function dataOf(end: number): string {
  const cookie = { originalMaxAge: LIFETIME, expires: new Date(end).toISOString(), secure: false };
  return JSON.stringify({ cookie: { ...cookie, httpOnly: true, path: '/', sameSite: 'lax' } });
}
