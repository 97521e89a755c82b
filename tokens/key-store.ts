import type { JsonWebKey } from 'node:crypto';
import type { Insertable, Selectable, Transaction } from 'kysely';
import { StorageError } from '../core/errors.ts';
import { parsedJson } from '../core/json.ts';
import type { Change, Database } from '../storage/database.ts';
import type { Schema, SigningKeysTable } from '../storage/schema.ts';
import { ALGORITHMS } from './algorithms.ts';
import { type KeyTimes, WITHDRAWAL_ENDS } from './key-schedule.ts';

/** A row of the table of keys: for a shared secret without its halves. */
export interface KeyRow extends KeyTimes {
  readonly publicJwk: JsonWebKey | null;
  /** Encrypted. */
  readonly privateKey: string | null;
}

/** What a new row says. Its sequence is the next one. */
export type NewKey = Omit<KeyRow, 'sequence' | 'goneAt'>;

/**
 * The table of keys. Whoever adds or removes one says which was the newest when they decided it: if that has changed
 * meanwhile, nothing is written, and they look again. So of many processes only one does it. What it has to note about
 * that is written in the same transaction.
 */
export interface KeyStore {
  /** In order. */
  all(): Promise<KeyRow[]>;
  /** @returns whether it was added: `false` when another was faster */
  add(key: NewKey, newest: KeyRow | undefined, note?: Change): Promise<boolean>;
  /** Removes the newest key, which has signed nothing yet. @returns whether that could be done */
  withdraw(newest: KeyRow, now: number, note?: Change): Promise<boolean>;
  /** Rejects keys from now on, for good, and erases their private halves; adds one in the same step. */
  reject(
    rejected: readonly KeyRow[],
    now: number,
    added: NewKey | undefined,
    newest: KeyRow | undefined,
    note?: Change,
  ): Promise<boolean>;
  /** Replaces the text of a private key, unless another has done so. */
  reencrypt(key: KeyRow, privateKey: string): Promise<void>;
  /** Notes that these keys sign tokens that last so many seconds; a longer time stays. */
  raiseLongestToken(keys: readonly KeyRow[], seconds: number): Promise<void>;
  /** Deletes these keys. */
  remove(keys: readonly KeyRow[]): Promise<void>;
}

export function sqlKeyStore(database: Database): KeyStore {
  const { kysely } = database;
  /** Does it if the newest key is still that one. */
  function unlessChanged(
    newest: KeyRow | undefined,
    write: (db: Transaction<Schema>) => Promise<boolean>,
    note?: Change,
  ): Promise<boolean> {
    return database.transaction(async (db) => {
      const last = await db
        .selectFrom('signing_keys')
        .select(['sequence', 'kid'])
        .orderBy('sequence', 'desc')
        .limit(1)
        .executeTakeFirst();
      const same = last?.sequence === newest?.sequence && last?.kid === newest?.kid;
      if (!same || !(await write(db))) return false;
      await note?.(db);
      return true;
    }, 'signing keys');
  }

  return {
    async all() {
      const rows = await kysely
        .selectFrom('signing_keys')
        .selectAll()
        .orderBy('sequence')
        .execute();
      return rows.map(keyOf);
    },

    add: (key, newest, note) => unlessChanged(newest, (db) => insert(db, key, newest), note),

    withdraw: (newest, now, note) => unlessChanged(newest, (db) => withdraw(db, newest, now), note),

    reject: (rejected, now, added, newest, note) =>
      unlessChanged(
        newest,
        async (db) => {
          if (added !== undefined && !(await insert(db, added, newest))) return false;
          await db
            .updateTable('signing_keys')
            .set({ gone_at: now, private_key: null })
            .where('sequence', 'in', sequences(rejected))
            .execute();
          return true;
        },
        note,
      ),

    async reencrypt(key, privateKey) {
      await kysely
        .updateTable('signing_keys')
        .set({ private_key: privateKey })
        .where('sequence', '=', key.sequence)
        .where('private_key', '=', key.privateKey)
        .execute();
    },

    async raiseLongestToken(keys, seconds) {
      await kysely
        .updateTable('signing_keys')
        .set({ longest_token: seconds })
        .where('sequence', 'in', sequences(keys))
        .where('longest_token', '<', seconds)
        .execute();
    },

    async remove(keys) {
      await kysely.deleteFrom('signing_keys').where('sequence', 'in', sequences(keys)).execute();
    },
  };
}

/** With one that no key has, since PostgreSQL takes no empty list. */
const sequences = (keys: readonly KeyRow[]) => [0, ...keys.map(({ sequence }) => sequence)];

/** @returns whether the next sequence was still free */
async function insert(
  db: Transaction<Schema>,
  key: NewKey,
  newest: KeyRow | undefined,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('signing_keys')
    .values(columnsOf(key, (newest?.sequence ?? 0) + 1))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

async function withdraw(db: Transaction<Schema>, newest: KeyRow, now: number): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('signing_keys')
    .where('sequence', '=', newest.sequence)
    .where('signs_from', '>', now + WITHDRAWAL_ENDS)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

function columnsOf(key: NewKey, sequence: number): Insertable<SigningKeysTable> {
  return {
    sequence,
    kid: key.kid,
    algorithm: key.algorithm,
    public_jwk: key.publicJwk && JSON.stringify(key.publicJwk),
    private_key: key.privateKey,
    published_at: key.publishedAt,
    signs_from: key.signsFrom,
    longest_token: key.longestToken,
    gone_at: null,
  };
}

/** A row that is damaged is a key pair without halves, so that whoever needs the key is told, and nobody else. */
function keyOf(row: Selectable<SigningKeysTable>): KeyRow {
  const algorithm = ALGORITHMS.find((name) => name === row.algorithm);
  return {
    sequence: row.sequence,
    kid: row.kid,
    algorithm: algorithm ?? 'ES256',
    publicJwk: algorithm === undefined || row.public_jwk === null ? null : jwkOf(row.public_jwk),
    privateKey: row.private_key,
    publishedAt: row.published_at,
    signsFrom: row.signs_from,
    longestToken: row.longest_token,
    goneAt: row.gone_at,
  };
}

function jwkOf(text: string): JsonWebKey | null {
  const value = parsedJson(text);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { ...value } : null;
}

/** What is said of a row that nobody but a disk or a hand can have changed. */
export function damagedKey(kid: string): StorageError {
  return new StorageError(
    `The signing key ${kid} is damaged in the database: restore the table signing_keys from a backup, or make a new key with "coatcheck key rotate --emergency", which rejects all tokens that were issued so far.`,
  );
}
