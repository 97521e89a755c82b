import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { sql } from 'kysely';
import type { Database } from '../../storage/database.ts';
import { signIn, startApp } from '../support/app.ts';
import { onEngines, temporaryDatabase } from '../support/database.ts';

/** Waits until so many transactions wait for a row that another holds. */
async function untilWaiting({ kysely }: Database, count: number): Promise<void> {
  const waiting = sql<{ count: string }>`select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  while (Number((await waiting.execute(kysely)).rows[0]?.count) < count) await setImmediate();
}

onEngines(() => {
  describe('sessions of one user in PostgreSQL', () => {
    it('that are ended while other roles renew them wait for each other, and not for ever', async () => {
      await using place = await temporaryDatabase('PostgreSQL');
      await using app = await startApp({ DATABASE_URL: place.url });
      const { sessions, statusLists, users } = app.services;
      for (let left = 2; left > 0; left -= 1) await signIn(app, 'ada');
      const { id: userId = '' } = (await users.findByUsername('ada')) ?? {};
      const { kysely } = place.database;
      const rows = kysely.selectFrom('sessions').select('id_hash').orderBy('id_hash');
      const [first, second] = (await rows.execute()).map(({ id_hash }) => id_hash);
      /** What was written last is found last. */
      const write = (id: string | undefined) =>
        kysely
          .updateTable('sessions')
          .set((eb) => ({ idle_expires_at: eb('idle_expires_at', '-', 1) }))
          .where('id_hash', '=', id ?? '')
          .execute();
      const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const hold = async () => {
        await write(first);
        await (
          await place.another()
        ).transaction(async (db) => {
          await sql`select from sessions for update`.execute(db);
          held.resolve();
          await release.promise;
        });
      };
      const holding: Promise<void>[] = [];
      const runs = { renewed: 0, ended: 0 };
      await write(second);
      const renewing = sessions.renewStatus(
        { userId },
        async (end, holder) => {
          if (holding.length === 0) holding.push(hold());
          await held.promise;
          return statusLists.allocate(end, holder);
        },
        async (db) => {
          runs.renewed += 1;
          await users.holdRoles(userId, db);
        },
      );
      await held.promise;
      const ending = sessions.revokeByUser(userId, '', async () => {
        runs.ended += 1;
      });
      await untilWaiting(place.database, 2);
      release.resolve();
      await Promise.all([renewing, ending, ...holding]);
      expect(await sessions.list(userId)).to.deep.equal([]);
      expect(runs, 'a run more is one that PostgreSQL gave up').to.deep.equal({
        renewed: 1,
        ended: 1,
      });
    });
  });
}, ['PostgreSQL']);
