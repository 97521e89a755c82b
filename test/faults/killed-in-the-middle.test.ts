import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import pg from 'pg';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';

const COMMANDS: readonly (readonly string[])[] = [
  ['user', 'password', 'ada'],
  ['user', 'disable', 'ada'],
  ['user', 'delete', 'ada'],
  ['user', 'roles', 'ada', '--set', 'admin'],
];

onEngines(
  (engine) =>
    describe(`a command that ${engine} keeps waiting when it has written half of what it has to`, function () {
      this.timeout(120_000);
      const directory = temporaryDirectory();
      const cwd = directory.path;
      let place: DatabasePlace;
      let env: Record<string, string>;
      let service: Served;
      let holder: pg.Client;
      before(async () => {
        await run(['init'], { cwd });
        place = await temporaryPlace(engine);
        env = { DATABASE_URL: place.url };
        await run(['user', 'add', 'ada'], { cwd, env, stdin: PASSWORD });
        service = await serve({ cwd, env });
        holder = new pg.Client({ connectionString: place.url.split('?', 1)[0] });
        await holder.connect();
      });
      after(async () => {
        await service?.[Symbol.asyncDispose]();
        await holder?.end();
        await place?.[Symbol.asyncDispose]();
        directory[Symbol.dispose]();
      });

      const count = async (sql: string) =>
        Number((await holder.query<{ n: string }>(sql)).rows[0]?.n);
      const rows = async () =>
        (await holder.query<Record<string, unknown>>('select * from users')).rows;
      /** Resolves when that many do. */
      async function untilThereAre(wanted: number, what: string): Promise<void> {
        while ((await count(`select count(*) as n from ${what}`)) !== wanted) await pause(10);
      }

      for (const command of COMMANDS) {
        it(`and that is killed then has done nothing: ${command.slice(0, 2).join(' ')}`, async () => {
          const client = new Client(service.url);
          expect((await client.login('ada', PASSWORD)).status).to.equal(200);
          const token = await client.token();
          const before_ = await rows();
          // the last of the tables that it changes may be read for now, and not be written
          await holder.query('begin; lock table status_lists in exclusive mode');
          const halfDone = untilThereAre(
            1,
            `pg_locks where not granted and relation = 'status_lists'::regclass and database = (select oid from pg_database where datname = current_database())`,
          );
          const outcome = await run(command, {
            cwd,
            env,
            stdin: 'another umbrella',
            killed: halfDone,
          });
          expect(outcome.code, outcome.stderr).to.equal(null);
          await holder.query('commit');
          const working = `pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`;
          await untilThereAre(0, working);
          expect(await rows()).to.deep.equal(before_);
          expect((await client.get('/auth/token')).status).to.equal(200);
          const me = { Authorization: `Bearer ${token}` };
          expect((await new Client(service.url).get('/auth/me', me)).status).to.equal(200);
        });
      }
    }),
  ['PostgreSQL'],
);
