import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type CompiledQuery, sql } from 'kysely';
import pino from 'pino';
import { SqlAudit } from '../../audit/audit.ts';
import { expiredEvents } from '../../audit/expired-events.ts';
import { endOfTrail, readTrail, usersInTrail } from '../../audit/trail.ts';
import type { Database } from '../../storage/database.ts';
import { Retention } from '../../storage/retention.ts';
import { recorded } from '../support/audit.ts';
import { DAY, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import type { Engine } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { logLines } from '../support/command.ts';

/** An engine under test, empty. */
export interface AuditEngine extends AsyncDisposable {
  readonly database: Database;
  /** The same one, as another process has it. */
  readonly otherProcess: Database;
}

/** What is promised of the record of events, on every engine. */
export function auditContract(engine: Engine, open: () => Promise<AuditEngine>): void {
  describe(`the record of events in ${engine}`, () => {
    let opened: AuditEngine;
    let clock: TestClock;
    let audit: SqlAudit;
    let lines: string[];
    beforeEach(async () => {
      opened = await open();
      clock = new TestClock();
      lines = [];
      audit = auditOf(opened.database);
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const logged = () => logLines(lines.join(''));
    const auditOf = (database: Database) =>
      new SqlAudit({ database, clock, log, actor: { kind: 'service' } });
    const rows = () => recorded(opened.database);
    const ada = { kind: 'user', id: 'ada-1', name: 'Ada' } as const;

    it('has who, what, where, when and in which request, in the row and in the log', async () => {
      await audit.record({
        event: 'logout',
        actor: { kind: 'user', id: 'ada-1' },
        subject: ada,
        session: 'a session',
        address: '192.0.2.7',
        userAgent: 'Mozilla/5.0',
        request: 'a request',
        details: { roles: ['admin'] },
        reason: 'for the log',
      });
      const [row] = await rows();
      expect(row).to.deep.equal({
        id: row?.id,
        at: clock.now(),
        event: 'logout',
        actor_kind: 'user',
        actor_id: 'ada-1',
        subject_kind: 'user',
        subject_id: 'ada-1',
        subject_name: 'ada',
        session_id: 'a session',
        address: '192.0.2.7',
        user_agent: 'Mozilla/5.0',
        request_id: 'a request',
        details: '{"roles":["admin"]}',
        once: null,
      });
      expect(logged()[0]).to.deep.include({
        msg: 'audit',
        event: 'logout',
        request: 'a request',
        actor: 'user',
        actor_id: 'ada-1',
        user: 'ada-1',
        session: 'a session',
        address: '192.0.2.7',
        user_agent: 'Mozilla/5.0',
        details: { roles: ['admin'] },
        reason: 'for the log',
      });
    });

    it('has whoever runs the process where nobody is named', async () => {
      await audit.record({ event: 'user.unlocked' });
      expect((await rows())[0]).to.include({ actor_kind: 'service', actor_id: null });
    });

    it('keeps neither line breaks, nor control characters, nor marks of direction, nor more than there is room for', async () => {
      const hostile = 'a\n\r\u001B[31m\u009B2J\u202E\u2066\u2028\u0000\uD800z';
      await audit.record({
        event: 'login.failed',
        address: hostile,
        userAgent: `${hostile}${'x'.repeat(10_000)}`,
        subject: { kind: 'client', id: '1', name: hostile },
        details: { name: hostile },
      });
      await audit.recordAttempt({ event: 'login.failed', address: hostile, userAgent: hostile });
      const bad = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
      for (const row of await rows()) {
        for (const value of Object.values(row)) expect(String(value)).not.to.match(bad);
        expect(row.user_agent?.length).to.be.at.most(256);
      }
      expect(lines).to.have.length(2);
      for (const line of logged()) expect(String(line['user_agent'])).not.to.match(bad);
    });

    it('has 120 failed attempts a minute and that there were more, however many there are', async () => {
      for (let attempt = 0; attempt < 130; attempt += 1) {
        await audit.recordAttempt({ event: 'login.failed', address: '192.0.2.7' });
      }
      const events = (await rows()).map(({ event }) => event);
      expect(events.filter((event) => event === 'login.failed')).to.have.length(120);
      expect(events.filter((event) => event === 'limit.reached')).to.have.length(1);
      const inLog = logged().filter(({ event }) => event === 'login.failed');
      expect(inLog, 'the log has them all').to.have.length(130);
      clock.advance(60_000);
      await audit.recordAttempt({ event: 'login.failed' });
      expect((await rows()).filter(({ event }) => event === 'login.failed')).to.have.length(121);
    });

    it('has 120 of each kind: a storm of one does not hide another', async () => {
      for (let attempt = 0; attempt < 130; attempt += 1) {
        await audit.recordAttempt({ event: 'limit.overloaded', address: '192.0.2.7' });
      }
      await audit.recordAttempt({ event: 'login.failed' });
      const events = (await rows()).map(({ event, details }) => `${event} ${details ?? ''}`);
      expect(events.filter((event) => event === 'limit.overloaded ')).to.have.length(120);
      expect(events.slice(120)).to.deep.equal([
        'limit.reached {"limit":"record of attempts","of":"limit.overloaded"}',
        'login.failed ',
      ]);
    });

    describe('in the transaction of what it is about', () => {
      const work = (fails: boolean) =>
        audit.recordWith({ event: 'user.added' }, (write) =>
          opened.database.transaction(async (db) => {
            await write(db, { subject: ada });
            if (fails) throw new Error('changed my mind');
            return 7;
          }),
        );

      it('has what has become known there, and hands on the outcome', async () => {
        expect(await work(false)).to.equal(7);
        expect(await rows()).to.have.length(1);
        expect((await rows())[0]).to.include({ subject_id: 'ada-1', event: 'user.added' });
        expect(logged()[0]).to.include({ user: 'ada-1' });
      });

      it('has neither row nor line where that comes to nothing', async () => {
        expect((await failureOf(work(true))).message).to.equal('changed my mind');
        expect(await rows()).to.deep.equal([]);
        expect(lines).to.deep.equal([]);
      });

      it('has neither where nothing has happened', async () => {
        await audit.recordWith({ event: 'logout' }, () => Promise.resolve());
        expect([await rows(), lines]).to.deep.equal([[], []]);
      });

      it('has a line for each row that was written', async () => {
        await audit.recordWith({ event: 'user.imported' }, (write) =>
          opened.database.transaction(async (db) => {
            await write(db);
            await write(db, { event: 'user.added', subject: ada });
          }),
        );
        const events = ['user.imported', 'user.added'];
        expect((await rows()).map(({ event }) => event)).to.deep.equal(events);
        expect(logged().map(({ event }) => event)).to.deep.equal(events);
      });

      it('has no line of a try that was rolled back, where the next one has nothing to do', async () => {
        await audit.recordWith({ event: 'logout' }, async (write) => {
          await failureOf(
            opened.database.transaction(async (db) => {
              await write(db);
              throw new Error('in the way of another');
            }),
          );
          await opened.database.transaction(() => Promise.resolve());
        });
        expect([await rows(), lines]).to.deep.equal([[], []]);
      });

      it('is logged once, however often the transaction has to be run again', async () => {
        await audit.recordWith({ event: 'logout' }, async (write) => {
          await failureOf(
            opened.database.transaction(async (db) => {
              await write(db);
              throw new Error('in the way of another');
            }),
          );
          await opened.database.transaction((db) => write(db));
        });
        expect(await rows()).to.have.length(1);
        expect(lines).to.have.length(1);
      });
    });

    describe('once', () => {
      const hit = (by = audit, name = 'limit') =>
        by.recordOnce(name, () => ({ event: 'limit.reached' }), 15 * MINUTE);

      it('is once for all processes, row and line, until the period is over', async () => {
        const other = auditOf(opened.otherProcess);
        await Promise.all([hit(), hit(other), hit(), hit(other)]);
        await hit(auditOf(opened.database)); // one that has been started again
        expect([(await rows()).length, lines.length]).to.deep.equal([1, 1]);
        clock.advance(15 * MINUTE);
        await hit(other);
        await hit();
        expect([(await rows()).length, lines.length]).to.deep.equal([2, 2]);
      });

      it('is for each name, and without a period for ever', async () => {
        for (const name of ['one', 'other']) {
          await audit.recordOnce(name, () => ({ event: 'exchange.refused' }));
          clock.advance(1000 * DAY);
          await auditOf(opened.otherProcess).recordOnce(name, () => ({
            event: 'exchange.refused',
          }));
        }
        expect(await rows()).to.have.length(2);
      });

      it('asks for the event only if it may have to be written', async () => {
        await hit();
        await audit.recordOnce('limit', () => Promise.reject(new Error('asked')), 15 * MINUTE);
      });

      it('is tried again when it could not be written', async () => {
        const failing = () => Promise.reject(new Error('away'));
        await failureOf(audit.recordOnce('limit', failing, 15 * MINUTE));
        await hit();
        expect(await rows()).to.have.length(1);
      });
    });

    describe('is append-only: it refuses', () => {
      beforeEach(() => audit.recordOnce('first', () => ({ event: 'login.failed' })));

      const statements: Record<string, string> = {
        'to change a row': `update audit_events set event = 'logout'`,
        'to delete a row': 'delete from audit_events',
        'to delete a row by what it is': `delete from audit_events where event = 'login.failed'`,
        'to replace a row by a conflict': `insert into audit_events (at, event, actor_kind, once)
          values (0, 'logout', 'nobody', 'first 0') on conflict (once) do update set event = 'logout'`,
        ...(engine === 'SQLite'
          ? {
              'to replace a row by its name': `replace into audit_events (at, event, actor_kind, once) values (0, 'logout', 'nobody', 'first 0')`,
              'to replace a row by its id': `insert or replace into audit_events (id, at, event, actor_kind) values (1, 0, 'logout', 'nobody')`,
            }
          : {
              'to be emptied': 'truncate audit_events',
              'to replace a row by its id': `insert into audit_events (id, at, event, actor_kind) overriding system value
                values (1, 0, 'logout', 'nobody') on conflict (id) do update set event = excluded.event`,
            }),
      };
      for (const [what, statement] of Object.entries(statements)) {
        it(what, async () => {
          const before = await rows();
          expect(before).to.have.length(1);
          await sql
            .raw(statement)
            .execute(opened.database.kysely)
            .catch((error: unknown) => expect(String(error)).to.include('append-only'));
          expect(await rows()).to.deep.equal(before);
        });
      }

      it('to let a row go that is not 30 days old, whatever the service takes for the time', async () => {
        clock.advance(-30 * DAY + MINUTE);
        await audit.record({ event: 'logout' });
        clock.advance(-2 * MINUTE);
        await audit.record({ event: 'login.bypass' });
        clock.advance(1000 * DAY);
        await retention(31).run();
        expect(logged().at(-1)).to.include({ task: 'expired audit events' });
        expect((await rows()).length).to.be.at.least(2);
        await opened.database.kysely
          .deleteFrom('audit_events')
          .where('event', '=', 'login.bypass')
          .execute();
        expect((await rows()).map(({ event }) => event))
          .to.include('logout')
          .and.not.include('login.bypass');
      });
    });

    const retention = (days: number) =>
      new Retention({
        database: opened.database,
        clock,
        log,
        expired: [expiredEvents((days * DAY) / SECOND)],
        calm: 0,
      });

    it('lets go of old rows, a day after their time, in batches', async () => {
      const now = clock.now();
      const old = Array.from({ length: 250 }, () => ({
        at: now - 401 * DAY,
        event: 'logout',
        actor_kind: 'nobody',
      }));
      const young = {
        ...old[0],
        at: now - 401 * DAY + 1,
        event: 'login.failed',
        actor_kind: 'nobody',
      };
      await opened.database.kysely
        .insertInto('audit_events')
        .values([...old, young])
        .execute();
      await retention(400).run();
      expect((await rows()).map(({ event }) => event)).to.deep.equal(['login.failed']);
      expect(logged()[0]).to.include({ task: 'expired audit events', deleted: 250 });
    });

    describe('is read', () => {
      const event = async (of: string, name: 'login.failed' | 'logout' | 'user.deleted') => {
        const subject = {
          kind: 'user',
          id: `${of}-1`,
          ...(name === 'user.deleted' && { name: of }),
        } as const;
        await audit.record({ event: name, subject });
        clock.advance(MINUTE);
      };
      const read = async (query: Partial<Parameters<typeof readTrail>[1]> = {}) => {
        const found = await readTrail(opened.database, { limit: 100, ...query });
        return found.map((one) => `${String(one.subject_id)} ${one.event}`);
      };
      let began: number;
      beforeEach(async () => {
        began = clock.now();
        await event('ada', 'login.failed');
        await event('bob', 'logout');
        await event('ada', 'logout');
        await event('Bob', 'user.deleted');
      });

      it('oldest first, and of more than there is room for the last ones', async () => {
        const all = ['ada-1 login.failed', 'bob-1 logout', 'ada-1 logout', 'Bob-1 user.deleted'];
        expect(await read()).to.deep.equal(all);
        expect(await read({ limit: 2 })).to.deep.equal(all.slice(2));
      });

      it('by user, by event, and by time: from a moment on, and before another', async () => {
        expect(await read({ users: ['ada-1'] })).to.deep.equal([
          'ada-1 login.failed',
          'ada-1 logout',
        ]);
        expect(await read({ events: ['logout'] })).to.deep.equal(['bob-1 logout', 'ada-1 logout']);
        const [since, until] = [began + MINUTE, began + 2 * MINUTE];
        expect(await read({ since, until })).to.deep.equal(['bob-1 logout']);
      });

      it('from a row on, in pages', async () => {
        const start = await endOfTrail(opened.database);
        await event('eve', 'logout');
        await event('eve', 'login.failed');
        expect(await read({ after: start, limit: 1 })).to.deep.equal(['eve-1 logout']);
        expect(await read({ after: start })).to.deep.equal(['eve-1 logout', 'eve-1 login.failed']);
      });

      it('with the names of very many who are gone', async () => {
        const ids = Array.from({ length: 2500 }, (_, index) => `gone-${index}`);
        const row = { at: 0, actor_kind: 'nobody', subject_kind: 'user' };
        for (const [what, named] of [
          ['user.added', true],
          ['logout', false],
        ] as const) {
          const all = ids.map((id) => ({
            ...row,
            event: what,
            subject_id: id,
            subject_name: named ? `was-${id}` : null,
          }));
          await opened.database.kysely.insertInto('audit_events').values(all).execute();
        }
        const found = await readTrail(opened.database, { limit: 2500 });
        expect(found.map((one) => one.last_name)).to.deep.equal(ids.map((id) => `was-${id}`));
      });

      it('with two statements, however many rows there are, each by an index', async () => {
        const statements: CompiledQuery[] = [];
        const executor = opened.database.kysely.getExecutor();
        const kysely = opened.database.kysely.withPlugin({
          transformQuery: ({ node, queryId }) => {
            statements.push(executor.compileQuery(node, queryId));
            return node;
          },
          transformResult: ({ result }) => Promise.resolve(result),
        });
        await readTrail({ ...opened.database, kysely }, { events: ['logout'], limit: 100 });
        expect(statements).to.have.length(2);
        if (engine !== 'SQLite') return; // PostgreSQL takes no index for a handful of rows
        const plans: string[] = [];
        for (const { sql: text } of statements) {
          const steps = await sql
            .raw<{ detail: string }>(`explain query plan ${text}`)
            .execute(opened.database.kysely);
          plans.push(steps.rows.map(({ detail }) => detail).join('; '));
        }
        expect(plans.join('; ')).not.to.match(/CORRELATED|SCAN|TEMP/);
        expect(plans[0]).to.include('audit_events_event');
        expect(plans[1]).to.include('audit_events_named');
      });

      it('with the name that a user has now, or had before they went', async () => {
        const gone = await usersInTrail(opened.database, 'BOB');
        expect(gone).to.deep.equal(['Bob-1']);
        const [row] = await readTrail(opened.database, { users: gone, limit: 1 });
        expect(row).to.include({ username: null, last_name: 'bob' });
        const id = randomUUID();
        const user = {
          id,
          username: 'Grace',
          username_canonical: 'grace',
          sign_outs: 0,
          roles: '[]',
          created_at: 0,
          updated_at: 0,
        };
        await opened.database.kysely.insertInto('users').values(user).execute();
        await audit.record({ event: 'logout', subject: { kind: 'user', id } });
        const [hers] = await readTrail(opened.database, { users: [id], limit: 1 });
        expect(hers).to.include({ username: 'Grace' });
      });
    });
  });
}
