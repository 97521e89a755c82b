import { once } from 'node:events';
import { expect } from 'chai';
import { sql } from 'kysely';
import pg from 'pg';
import { SettingsError, StorageError } from '../../core/errors.ts';
import { type Database, openDatabase } from '../../storage/database.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import { TestClock } from '../support/clock.ts';
import {
  administer,
  onEngines,
  temporaryDatabase,
  type TemporaryDatabase,
} from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';

const PORT = 5432;

onEngines(
  () =>
    describe('PostgreSQL', function () {
      this.timeout(120_000);
      let temporary: TemporaryDatabase;
      let database: Database;
      let name: string;
      beforeEach(async () => {
        temporary = await temporaryDatabase('PostgreSQL');
        ({ database } = temporary);
        name = new URL(temporary.url).pathname.slice(1);
      });
      afterEach(() => temporary[Symbol.asyncDispose]());

      const fault = async (work: Promise<unknown>) => {
        const error = await failureOf(work);
        expect(error).to.be.instanceOf(StorageError);
        return error.message;
      };
      const answer = async (text: string, from = database): Promise<unknown> => {
        const { rows } = await sql.raw<Record<string, unknown>>(text).execute(from.kysely);
        return Object.values(rows[0] ?? {})[0];
      };

      it('answers times as numbers, and leaves other users of pg in this process alone', async () => {
        const row = await sqlUserStore(database, new TestClock()).add({ username: 'ada' });
        const stored = await database.kysely
          .selectFrom('users')
          .select('created_at')
          .executeTakeFirst();
        expect(stored).to.deep.equal({ created_at: row.createdAt });
        const client = new pg.Client({ connectionString: temporary.url });
        await client.connect();
        try {
          const { rows } = await client.query<{ one: unknown }>('select 1::bigint as one');
          expect(rows).to.deep.equal([{ one: '1' }]);
        } finally {
          await client.end();
        }
      });

      it('has nobody of a name with U+0000, which it could not store', async () => {
        const users = sqlUserStore(database, new TestClock());
        await users.add({ username: 'ada', email: 'ada@example.org' });
        for (const login of ['ada\u0000', '\u0000ada', '\u0000', 'ada@example.org\u0000']) {
          expect(await users.findLogin(login), login).to.equal(undefined);
          expect(await users.findById(login), login).to.equal(undefined);
          expect(await users.remove(login), login).to.equal(false);
        }
      });

      it('goes on with prepared statements when a newer process adds columns meanwhile', async () => {
        const users = sqlUserStore(database, new TestClock());
        const { id } = await users.add({ username: 'ada' });
        await users.findById(id);
        await sql`alter table users add column later text`.execute(database.kysely);
        expect(await users.findById(id)).to.include({ username: 'ada' });
      });

      it('waits for the disk, but for what comes often and may be lost', async () => {
        const setting = {
          sql: `select set_config('a.b', current_setting('synchronous_commit'), false), $1::text`,
        };
        const compiled = sql.raw<{ set_config: string }>(setting.sql).compile(database.kysely);
        const first = await database.prepareFirst<{ set_config: string }>(compiled)(['x']);
        expect(first?.set_config).to.equal('on');
        await sql`create table seen (mode text)`.execute(database.kysely);
        const insert = `insert into seen values (current_setting('synchronous_commit') || $1)`;
        await database.prepareRelaxed(sql.raw(insert).compile(database.kysely))(['!']);
        expect(await answer('select mode from seen')).to.equal('off!');
      });

      it('does what gets in the way of another once more, until it is done', async () => {
        await sql`create table counters (id int primary key, n int)`.execute(database.kysely);
        await sql`insert into counters values (1, 0), (2, 0)`.execute(database.kysely);
        let tries = 0;
        const { promise: bothHoldOne, resolve } = Promise.withResolvers<void>();
        const inOrder = (...ids: number[]) =>
          database.transaction(async (db) => {
            tries += 1;
            for (const id of ids) {
              await sql`update counters set n = n + 1 where id = ${id}`.execute(db);
              if (tries >= 2) resolve();
              await bothHoldOne; // each holds what the other wants next
            }
          });
        await Promise.all([inOrder(1, 2), inOrder(2, 1)]);
        expect(tries).to.equal(3);
        expect(await answer('select min(n) from counters')).to.equal(2);
      });

      it('gives those that ask for the same turn one after another', async () => {
        await sql`create table counters (n int)`.execute(database.kysely);
        await sql`insert into counters values (0)`.execute(database.kysely);
        const other = await temporary.another();
        const addOne = (by: Database) =>
          by.transaction(async (db) => {
            const { rows } = await sql<{ n: number }>`select n from counters`.execute(db);
            await sql`update counters set n = ${(rows[0]?.n ?? 0) + 1}`.execute(db);
          }, 'signing keys');
        await Promise.all(
          Array.from({ length: 40 }, (_, index) => addOne(index % 2 ? other : database)),
        );
        expect(await answer('select n from counters')).to.equal(40);
      });

      it('takes back all of a transaction that fails', async () => {
        await failureOf(
          database.transaction(async (db) => {
            await db.deleteFrom('users').execute();
            await sql`create table half (id text)`.execute(db);
            throw new Error('half way');
          }),
        );
        expect(await answer("select to_regclass('half')")).to.equal(null);
      });

      it('is no fault of the server when a statement of ours is wrong', async () => {
        const error = await failureOf(sql`select nothing`.execute(database.kysely));
        expect(error).not.to.be.instanceOf(StorageError);
        expect(await answer('select 1')).to.equal(1);
      });

      it('says that it does not answer once it is closed, and can be closed twice', async () => {
        const other = await temporary.another();
        await other.close();
        await other.close();
        await fault(other.ping());
        await fault(sqlUserStore(other, new TestClock()).findById('x'));
      });

      describe('that ends connections', () => {
        const endAll = () =>
          administer(
            `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
          );

        it('while nobody uses them, is not noticed', async () => {
          await Promise.all(Array.from({ length: 5 }, () => database.ping()));
          await endAll();
          await new Promise((resolve) => setTimeout(resolve, 50)); // until this process has heard of it
          for (let turn = 0; turn < 5; turn += 1) await database.ping();
        });

        it('in the middle of a transaction, is a fault of the storage, and the next one works', async () => {
          const message = await fault(
            database.transaction(async (db) => {
              await db.deleteFrom('users').execute();
              await endAll();
              await db.deleteFrom('users').execute();
            }),
          );
          expect(message).to.match(/^The database (?:is shutting down|does not answer)/);
          await database.transaction((db) => db.deleteFrom('users').execute());
        });

        it('of a transaction that is thinking, does not end the process', async () => {
          await fault(
            database.transaction(async (db) => {
              await db.deleteFrom('users').execute();
              await endAll();
              await new Promise((resolve) => setTimeout(resolve, 50));
              await db.deleteFrom('users').execute();
            }),
          );
        });
      });

      describe('that refuses', () => {
        /** Runs it against a database that is set up like that; connections that are open stay as they are. */
        async function with_(setting: string, url = temporary.url): Promise<Error> {
          await administer(`alter database ${name} ${setting}`);
          return failureOf(openDatabase(url).then((opened) => opened.close()));
        }
        afterEach(() => administer(`alter database ${name} connection limit -1`));
        afterEach(() => administer(`alter database ${name} reset all`));

        it('writes, says that it is a standby', async () => {
          await sql`set default_transaction_read_only = on`.execute(database.kysely);
          const message = await fault(
            database.transaction((db) => db.deleteFrom('users').execute()),
          );
          expect(message).to.equal(
            'The database is read-only: it is a standby. Let DATABASE_URL lead to the primary.',
          );
          // that connection is not used again: the next one may lead to the primary
          await database.transaction((db) => db.deleteFrom('users').execute());
        });

        it('more connections, says so, and that may pass', async () => {
          const role = `${name}_role`;
          await administer(`create role ${role} login`);
          try {
            const url = temporary.url.replace('postgres@', `${role}@`);
            const error = await with_('connection limit 0', url);
            expect(error).to.be.instanceOf(StorageError).with.property('passes', true);
            expect(error.message).to.match(/no connection left: raise max_connections/);
          } finally {
            await administer(`drop role ${role}`);
          }
        });

        it('to make tables, says so as of a setting that is wrong', async () => {
          const role = `${name}_role`;
          await administer(`create role ${role} login`);
          try {
            await administer(
              'drop schema public cascade; create schema public',
              temporary.url.split('?', 1)[0],
            );
            const error = await failureOf(
              openDatabase(temporary.url.replace('postgres@', `${role}@`)),
            );
            expect(error).to.be.instanceOf(SettingsError);
            expect(error.message).to.match(/DATABASE_URL names a user who may not do that/);
          } finally {
            await administer(`drop role ${role}`);
          }
        });
      });

      describe('of another version', () => {
        it('is an error that names both when it has been migrated further', async () => {
          await sql`insert into kysely_migration values ('9999-from-the-future', '2099-01-01T00:00:00.000Z')`.execute(
            database.kysely,
          );
          const error = await failureOf(openDatabase(temporary.url));
          expect(error).to.be.instanceOf(SettingsError);
          expect(error.message).to.match(
            /it has the migration 9999-from-the-future, and the last one that this version knows is \d{4}-[a-z-]+\. Run/,
          );
        });
      });

      describe('behind a network that fails', () => {
        let proxy: FaultyProxy;
        let far: Database;
        beforeEach(async () => {
          proxy = await startFaultyProxy(PORT);
          far = await openDatabase(`postgres://postgres@127.0.0.1:${proxy.port}/${name}`);
        });
        afterEach(async () => {
          await proxy[Symbol.asyncDispose]();
          await far.close();
        });

        /** How long it takes to fail, in milliseconds. */
        async function patience(work: () => Promise<unknown>): Promise<number> {
          const before_ = performance.now();
          await fault(work());
          return performance.now() - before_;
        }

        it('is given up within two seconds, whether a connection is there or not', async () => {
          const users = sqlUserStore(far, new TestClock());
          await users.findById('x');
          proxy.misbehave('swallow');
          // the first ones have connections that were open, the others have to make one, or wait for one
          const all = Array.from({ length: 15 }, () => patience(() => users.findById('x')));
          for (const took of await Promise.all(all)) expect(took).to.be.within(500, 2000);
          expect(
            await patience(() => far.transaction((db) => db.deleteFrom('users').execute())),
          ).to.be.below(2000);
        });

        it('never gets the answer to an earlier question when it is back', async () => {
          proxy.misbehave('delay', 1500);
          const questions = Array.from({ length: 10 }, (_, n) =>
            fault(sql`select ${n}::int`.execute(far.kysely)),
          );
          await Promise.all(questions);
          proxy.misbehave('none');
          for (let n = 100; n < 120; n += 1) expect(await answer(`select ${n}`, far)).to.equal(n);
        });

        it('breaks connections, and is used again when it is back', async () => {
          await far.ping();
          proxy.misbehave('reset');
          await fault(far.ping());
          await fault(far.transaction((db) => db.deleteFrom('users').execute()));
          proxy.misbehave('none');
          await far.ping();
        });

        it('has an end of waiting for a lock, too', async () => {
          const client = new pg.Client({
            connectionString: `postgres://postgres@127.0.0.1:${PORT}/${name}`,
          });
          await client.connect();
          await client.query('begin');
          await client.query('lock table users');
          try {
            const message = await fault(far.transaction((db) => db.deleteFrom('users').execute()));
            expect(message).to.equal('The database did not answer in time (statement_timeout).');
            await far.ping();
          } finally {
            await client.end();
          }
        });
      });

      it('leaves no connection behind when it is closed', async () => {
        const other = await temporary.another();
        await Promise.all(Array.from({ length: 5 }, () => other.ping()));
        await other.close();
        const client = new pg.Client({
          connectionString: temporary.url,
          application_name: 'watcher',
        });
        client.connect().catch(() => undefined);
        await once(client, 'connect');
        try {
          const open = () =>
            client.query<{ n: number }>(
              `select count(*)::int as n from pg_stat_activity where datname = '${name}' and application_name = 'coatcheck'`,
            );
          while (((await open()).rows[0]?.n ?? 0) > 1); // the one of the test itself
        } finally {
          await client.end();
        }
      });
    }),
  ['PostgreSQL'],
);
