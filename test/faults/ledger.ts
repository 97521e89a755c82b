import type { Transaction } from 'kysely';
import { openDatabase } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import { entryOf } from './person.ts';

/** What the database says at one moment, whatever goes on beside it. */
export class Ledger {
  readonly #passwords: ReadonlyMap<string, string>;
  /** The public ids of sessions that are alive: that have a row, or in Redis an entry that is not revoked. */
  readonly alive: ReadonlySet<string>;
  readonly #revoked: ReadonlySet<string>;
  /** The public ids of sessions that have a row, though their entry is revoked, not there, or of another session. */
  readonly halfEnded: readonly string[];

  private constructor({ users, sessions, entries }: Rows, inRedis: boolean) {
    this.#passwords = new Map(users.map((row) => [row.username, row.password_hash ?? '']));
    const good = entries.filter((row) => row.revoked_at === null);
    // a renewal that was cut short leaves an entry that no token has: of a row, only its own counts
    this.alive = new Set(
      inRedis ? good.map((row) => row.session_id ?? '') : sessions.map((row) => row.public_id),
    );
    this.#revoked = new Set(
      entries.filter((row) => row.revoked_at !== null).map((row) => place(row.list_id, row.idx)),
    );
    const holders = new Map(good.map((row) => [place(row.list_id, row.idx), row.session_id]));
    this.halfEnded = sessions
      .filter((row) => holders.get(place(row.status_list, row.status_index)) !== row.public_id)
      .map((row) => row.public_id);
  }

  /** @param inRedis where the sessions are */
  static async read(url: string, inRedis: boolean): Promise<Ledger> {
    const database = await openDatabase(url);
    try {
      const moment = database.kysely.transaction();
      const snapshot = url.startsWith('sqlite:')
        ? moment
        : moment.setIsolationLevel('repeatable read'); // or each statement would see another moment
      return new Ledger(await snapshot.execute(rowsOf), inRedis);
    } finally {
      await database.close();
    }
  }

  passwordHash(username: string): string {
    return this.#passwords.get(username) ?? '';
  }

  isRevoked(token: string): boolean {
    const { list, index } = entryOf(token);
    return this.#revoked.has(place(list, index));
  }
}

type Rows = Awaited<ReturnType<typeof rowsOf>>;

async function rowsOf(kysely: Transaction<Schema>) {
  return {
    users: await kysely.selectFrom('users').select(['username', 'password_hash']).execute(),
    sessions: await kysely
      .selectFrom('sessions')
      .select(['public_id', 'status_list', 'status_index'])
      .execute(),
    entries: await kysely
      .selectFrom('status_entries')
      .select(['list_id', 'idx', 'session_id', 'revoked_at'])
      .execute(),
  };
}

function place(list: string, index: number): string {
  return `${list}/${index}`;
}
