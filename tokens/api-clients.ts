import { hash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import type { Change, Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';

/** An API that may ask about tokens and revoke them. */
export interface ApiClient {
  /** `client_id`. */
  readonly id: string;
  /** For people. Two may have the same, as while a secret is being replaced. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** Where the APIs that may do so are kept. */
export interface ApiClients {
  /**
   * @param note what is written with it, in one transaction
   * @returns the client and its secret, which nobody can find out again
   * @throws {Problem} `invalid_request` for a name that is empty, too long, or no text
   */
  add(
    name: string,
    note?: (db: Kysely<Schema>, added: ApiClient) => Promise<unknown>,
  ): Promise<{ client: ApiClient; secret: string }>;
  /** All of them, oldest first. */
  list(): Promise<ApiClient[]>;
  /** @returns whether there was one of that id */
  remove(id: string, note?: Change): Promise<boolean>;
  find(id: string): Promise<ApiClient | undefined>;
  /** The client of that id, if the secret is its own. An id that is unknown takes as long to refuse as a wrong secret. */
  authenticate(id: string, secret: string): Promise<ApiClient | undefined>;
}

const NAME_LENGTH = 64;

/** API clients in the SQL database. */
export function sqlApiClients(database: Database, clock: Clock): ApiClients {
  const { kysely } = database;
  const byId = database.prepareFirst(
    kysely
      .selectFrom('api_clients')
      .select(['id', 'name', 'secret_hash', 'created_at'])
      .where('id', '=', '')
      .compile(),
  );
  const nobody = secretHash('').toString('base64url');

  return {
    async add(name, note) {
      const secret = randomBytes(32).toString('base64url');
      const client = { id: randomUUID(), name: acceptedName(name), createdAt: clock.now() };
      const row = {
        id: client.id,
        name: client.name,
        secret_hash: secretHash(secret).toString('base64url'),
        created_at: client.createdAt,
      };
      await database.transaction(async (db) => {
        await db.insertInto('api_clients').values(row).execute();
        await note?.(db, client);
      });
      return { client, secret };
    },
    async list() {
      const rows = await kysely
        .selectFrom('api_clients')
        .select(['id', 'name', 'created_at'])
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(clientOf);
    },
    remove: (id, note) =>
      database.transaction(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom('api_clients')
          .where('id', '=', id)
          .executeTakeFirst();
        if (numDeletedRows > 0n) await note?.(db);
        return numDeletedRows > 0n;
      }),
    async find(id) {
      const row = await byId([id]);
      return row && clientOf(row);
    },
    async authenticate(id, secret) {
      const row = await byId([id]);
      const expected = Buffer.from(row?.secret_hash ?? nobody, 'base64url');
      const good = timingSafeEqual(secretHash(secret), expected);
      return good && row !== undefined ? clientOf(row) : undefined;
    },
  };
}

/** SHA-256 is enough here: the secret is 32 random bytes, which nobody can go through. */
function secretHash(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function clientOf(row: { id: string; name: string; created_at: number }): ApiClient {
  return { id: row.id, name: row.name, createdAt: row.created_at };
}

function acceptedName(typed: string): string {
  const name = typed.trim().normalize('NFC');
  if (name === '' || name.length > NAME_LENGTH) {
    throw new Problem(
      'invalid_request',
      `The name of a client has 1 to ${NAME_LENGTH} characters.`,
    );
  }
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new Problem('invalid_request', 'The name of a client has no invisible characters.');
  }
  return name;
}
