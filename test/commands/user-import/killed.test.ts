import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { sqlUserStore } from '../../../users/sql-user-store.ts';
import { TestClock } from '../../support/clock.ts';
import { cleanEnvironment, PROGRAM, run, until } from '../../support/command.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../../support/database.ts';
import { openDatabase } from '../../../storage/database.ts';
import { temporaryDirectory } from '../../support/directory.ts';

const HASH = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
const ROWS = 10_000;
const BATCH = 200;

/** How many rows have been reported when the process is killed. */
const MOMENTS = [1, 2000, 5000];

const nameOf = (row: number) => `user${String(row).padStart(5, '0')}`;

function file(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => `${nameOf(row)},${HASH}\n`);
  return `username,password_hash\n${lines.join('')}`;
}

onEngines((engine) => {
  describe(`an import into ${engine} that is killed`, function () {
    this.timeout(120_000);
    const directory = temporaryDirectory();
    const cwd = directory.path;
    let place: DatabasePlace;
    let env: Record<string, string>;
    before(async () => {
      writeFileSync(join(cwd, 'users.csv'), file(ROWS));
      await run(['init'], { cwd });
      place = await temporaryPlace(engine);
      env = { DATABASE_URL: place.url };
    });
    after(async () => {
      await place[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    });

    /** Kills an import that waits for its last row once it has reported so many. @returns how many it had */
    async function killedAfter(reported: number): Promise<number> {
      const args = [PROGRAM, 'user', 'import', '-', '--format', 'csv'];
      const child = spawn(process.execPath, args, {
        cwd,
        env: cleanEnvironment(env),
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      child.stdin.on('error', () => undefined); // it is killed before it has read everything
      child.stdin.write(file(ROWS - 1));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (more: string) => (output += more));
      const lines = () => Math.max(0, output.split('\n').length - 2); // without the heading
      const closed = once(child, 'close');
      await until(() => lines() >= reported, child);
      child.kill('SIGKILL');
      await closed;
      expect(child.signalCode).to.equal('SIGKILL');
      return lines();
    }

    async function names(): Promise<string[]> {
      const database = await openDatabase(place.url);
      try {
        const all = await sqlUserStore(database, new TestClock()).list();
        return all.map(({ username }) => username);
      } finally {
        await database.close();
      }
    }

    it('has all that it reported, whole batches, and, run again, everybody once', async () => {
      for (const moment of MOMENTS) {
        const reported = await killedAfter(moment);
        const there = await names();
        expect(there.length).to.be.at.least(reported);
        expect(there.length % BATCH).to.equal(0);
        expect(there).to.deep.equal(there.map((_, row) => nameOf(row)));
      }
      const again = await run(['user', 'import', 'users.csv'], { cwd, env });
      expect(again.code).to.equal(0);
      expect(again.stderr).to.match(/^Imported \d+; \d+ there already; 0 refused\.\n$/);
      expect(await names()).to.deep.equal(Array.from({ length: ROWS }, (_, row) => nameOf(row)));
    });
  });
});
