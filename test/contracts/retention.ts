import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pino from 'pino';
import { expiredSessions } from '../../sessions/expired-sessions.ts';
import type { Database } from '../../storage/database.ts';
import { type Expired, Retention } from '../../storage/retention.ts';
import { expiredEntries } from '../../tokens/expired-entries.ts';
import { sqlStatusLists } from '../../tokens/status-lists.ts';
import { expiredAttempts } from '../../users/sql-attempts.ts';
import { DAY, HOUR, MINUTE, TestClock } from '../support/clock.ts';

/** An engine under test, empty. */
export interface RetentionEngine extends AsyncDisposable {
  readonly database: Database;
  /** The same one, as another process has it. */
  readonly otherProcess: Database;
}

const BATCH = 100;
const HOLDER = { sessionId: 'a session', userId: 'ada' };

/** What is promised of deleting what has expired, on every engine. */
export function retentionContract(name: string, open: () => Promise<RetentionEngine>): void {
  describe(`what has expired, in ${name},`, () => {
    let engine: RetentionEngine;
    let clock: TestClock;
    let lines: string[];
    beforeEach(async () => {
      engine = await open();
      clock = new TestClock();
      lines = [];
    });
    afterEach(() => engine[Symbol.asyncDispose]());

    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const retention = (
      expired: readonly Expired[] = [expiredSessions, expiredEntries],
      database = engine.database,
      calm = 0,
    ) => new Retention({ database, clock, log, expired, calm });

    async function addSessions(howMany: number, idleEnd: number, end = idleEnd): Promise<void> {
      for (let rest = howMany; rest > 0; rest -= BATCH) {
        const rows = Array.from({ length: Math.min(rest, BATCH) }, () => ({
          id_hash: randomBytes(32).toString('base64url'),
          public_id: randomUUID(),
          user_id: 'ada',
          amr: 'pwd',
          created_at: idleEnd - DAY,
          last_seen_at: idleEnd - DAY,
          idle_expires_at: idleEnd,
          expires_at: end,
          address: null,
          user_agent: null,
          data: '{}',
          status_list: 'list',
          status_index: 0,
        }));
        await engine.database.kysely.insertInto('sessions').values(rows).execute();
      }
    }

    async function count(table: 'sessions' | 'status_entries' | 'status_lists'): Promise<number> {
      return (await engine.database.kysely.selectFrom(table).selectAll().execute()).length;
    }

    it('of attempts goes too, a day after the last of them is forgotten', async () => {
      const now = clock.now();
      const rows = [
        { key: 'gone', forgotten_at: now - DAY },
        { key: 'left', forgotten_at: now - DAY + 1 },
      ];
      await engine.database.kysely.insertInto('attempts').values(rows).execute();
      await retention([expiredAttempts]).run();
      const left = await engine.database.kysely.selectFrom('attempts').select('key').execute();
      expect(left).to.deep.equal([{ key: 'left' }]);
    });

    /** The sessions again, with a note of each batch; `before` is done first in each. */
    function watched(batches: number[], before: () => void = () => undefined): Expired {
      return {
        name: expiredSessions.name,
        async deleteSome(db, end, limit) {
          before();
          const deleted = await expiredSessions.deleteSome(db, end, limit);
          batches.push(deleted);
          return deleted;
        },
      };
    }

    it('stays for a day: then sessions go, to the millisecond, and those that live stay', async () => {
      const now = clock.now();
      await addSessions(1, now - DAY, now + DAY); // idle for too long
      await addSessions(1, now - DAY + 1);
      await addSessions(1, now + HOUR);
      await retention().run();
      expect(await count('sessions')).to.equal(2);
      clock.advance(HOUR);
      await retention().run();
      expect(await count('sessions')).to.equal(1);
      expect(lines.map((line) => /"deleted":(\d+)/.exec(line)?.[1])).to.deep.equal(['1', '1']);
    });

    it('stays when the clock of a process is an hour ahead', async () => {
      await addSessions(3, clock.now() + MINUTE);
      clock.advance(HOUR);
      await retention().run();
      expect(await count('sessions')).to.equal(3);
    });

    it('goes when an entry of a status list can be in no valid token since a day, with its revocation', async () => {
      const lists = sqlStatusLists(engine.database, clock);
      const entry = await lists.allocate(clock.now() + HOUR, HOLDER);
      const valid = await lists.allocate(clock.now() + HOUR + 1, HOLDER);
      await lists.revoke(entry);
      const version = (await lists.version(entry.list)) ?? 0;
      clock.advance(HOUR + 11 * MINUTE + DAY - 1);
      await retention().run();
      expect([await count('status_entries'), await lists.version(entry.list)]).to.deep.equal([
        2,
        version,
      ]);
      clock.advance(1);
      await engine.database.kysely.deleteFrom('tasks').execute();
      await retention().run();
      expect(await count('status_entries')).to.equal(1);
      expect(await lists.version(entry.list)).to.equal(version + 1);
      expect(await lists.revokedIndices(entry.list)).to.deep.equal([]);
      expect(await lists.isRevoked(valid)).to.be.false;
    });

    it('takes a list along when its last entry goes, unless it is the newest', async () => {
      const lists = sqlStatusLists(engine.database, clock, 1);
      const old = await lists.allocate(clock.now(), HOLDER);
      const kept = await lists.allocate(clock.now() + HOUR, HOLDER);
      const newest = await lists.allocate(clock.now(), HOLDER);
      clock.advance(11 * MINUTE + DAY);
      await retention().run();
      expect(await lists.ids()).to.have.ordered.members([newest.list, kept.list]);
      expect(await lists.version(old.list)).to.equal(undefined);
      expect(await count('status_entries')).to.equal(1);
    });

    it(`goes in batches of ${BATCH}, and others write in between`, async () => {
      await addSessions(2 * BATCH + 50, clock.now() - 2 * DAY);
      const batches: number[] = [];
      const between: number[] = [];
      const other = engine.otherProcess.kysely;
      const done = new AbortController();
      const writer = async () => {
        while (!done.signal.aborted) {
          await other
            .updateTable('sessions')
            .set({ last_seen_at: 1 })
            .where('id_hash', '=', '')
            .execute();
          between.push((await other.selectFrom('sessions').select('id_hash').execute()).length);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await Promise.all([
        writer(),
        retention([watched(batches)], engine.database, 20)
          .run()
          .then(() => done.abort()),
      ]);
      expect(batches).to.deep.equal([BATCH, BATCH, 50]);
      expect(between).to.include.members([BATCH + 50, 50]);
      expect(await count('sessions')).to.equal(0);
    });

    it('is deleted by one of two processes that are at it at once', async () => {
      await addSessions(3 * BATCH, clock.now() - 2 * DAY);
      const batches: [number[], number[]] = [[], []];
      await Promise.all([
        retention([watched(batches[0])]).run(),
        retention([watched(batches[1])], engine.otherProcess).run(),
      ]);
      expect(batches.filter((list) => list.length > 0)).to.deep.equal([[BATCH, BATCH, BATCH, 0]]);
      await retention([watched(batches[0])], engine.otherProcess).run();
      expect(batches.flat(), 'nor again before ten minutes are over').to.have.lengthOf(4);
    });

    it('is left to another when a process stops half way, ten minutes after its last batch', async () => {
      await addSessions(3 * BATCH, clock.now() - 2 * DAY);
      const half: number[] = [];
      const dying: Retention = retention([
        watched(half, () => {
          if (half.length > 0) void dying.stop();
          else clock.advance(MINUTE);
        }),
      ]);
      await dying.run();
      expect(half, 'the batch at hand is finished').to.deep.equal([BATCH, BATCH]);
      const next: number[] = [];
      clock.advance(10 * MINUTE - 1);
      await retention([watched(next)], engine.otherProcess).run();
      expect(next).to.deep.equal([]);
      clock.advance(1);
      await retention([watched(next)], engine.otherProcess).run();
      expect(next).to.deep.equal([BATCH, 0]);
    });

    it('is not deleted by a process any more from which another has taken the task', async () => {
      await addSessions(3 * BATCH, clock.now() - 2 * DAY);
      const batches: number[] = [];
      const { kysely } = engine.database;
      const losing: Expired = {
        name: expiredSessions.name,
        async deleteSome(db, end, limit) {
          await db
            .updateTable('tasks')
            .set({ due_at: clock.now() + MINUTE })
            .execute(); // as another's claim does
          batches.push(await expiredSessions.deleteSome(db, end, limit));
          return BATCH;
        },
      };
      await retention([losing]).run();
      expect(batches).to.deep.equal([BATCH]);
      expect(await kysely.selectFrom('tasks').select('due_at').execute()).to.deep.equal([
        { due_at: clock.now() + MINUTE },
      ]);
    });

    it('is not forgotten because a clock was far ahead once', async () => {
      const wrong = new TestClock();
      wrong.advance(400 * DAY);
      const { database } = engine;
      await new Retention({ database, clock: wrong, log, expired: [expiredSessions] }).run();
      await addSessions(1, clock.now() - 2 * DAY);
      await retention().run();
      expect(await count('sessions')).to.equal(0);
    });

    it('is tried again later when it could not be deleted, and does not keep the rest', async () => {
      await addSessions(1, clock.now() - 2 * DAY);
      let failures = 1;
      const broken = watched([], () => {
        if (failures-- > 0) throw new Error('the disk is full');
      });
      const entries: number[] = [];
      const rest: Expired = {
        name: 'the rest',
        deleteSome: () => Promise.resolve(entries.push(0) - entries.length),
      };
      const both = retention([broken, rest]);
      await both.run();
      expect([await count('sessions'), entries.length]).to.deep.equal([1, 1]);
      expect(lines.join(''))
        .to.include('the disk is full')
        .and.include('"task":"expired sessions"');
      clock.advance(10 * MINUTE);
      await both.run();
      expect(await count('sessions')).to.equal(0);
    });

    it('stays where the process has been told to stop', async () => {
      await addSessions(1, clock.now() - 2 * DAY);
      const stopped = retention();
      await stopped.stop();
      await stopped.run();
      expect(await count('sessions')).to.equal(1);
    });
  });
}
