import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { expect } from 'chai';
import { openDatabase } from '../../storage/database.ts';
import { PASSWORD } from '../support/app.ts';
import { onRecord, type OnRecord } from '../support/audit.ts';
import { cleanEnvironment, inTurns, PROGRAM, run, until } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

const HOSTILE = '\u001B[31m\u009B2J\nforged line\u202Egnp\u2066\u2028x';

const lines = (stdout: string) => stdout.split('\n').filter((line) => line !== '');

describe('coatcheck audit', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const coatcheck = (...args: string[]) => run(args, { cwd, stdin: PASSWORD });
  const audit = (...args: string[]) => coatcheck('audit', ...args);
  const json = (...args: string[]) => onRecord(cwd, ...args);
  const named = (all: readonly OnRecord[]) =>
    all.map(({ event, subject }) => [event, subject?.name]);

  before(async () => {
    await coatcheck('init');
    expect((await coatcheck('user', 'add', 'Ada', '--roles', 'old')).code).to.equal(0);
    expect((await coatcheck('user', 'roles', 'Ada', '--set', 'admin,editor')).code).to.equal(0);
    for (const command of ['roles', 'disable', 'enable', 'password', 'unlock', 'delete']) {
      expect((await coatcheck('user', command, 'Ada')).code, command).to.equal(0);
    }
  });
  after(() => directory[Symbol.dispose]());

  it('shows a table to a person, oldest first', async () => {
    const { code, stdout, stderr } = await audit('--limit', '2');
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(
      /^TIME \(UTC\) +EVENT +BY +ABOUT +ADDRESS +DETAILS +REQUEST +USER AGENT\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}user\.disabled +cli \S+ +ada\n.* {2}user\.deleted +cli \S+ +ada\n$/,
    );
  });

  it('has what commands have changed, and finds a user who is gone, by name and by id, with what is asked for', async () => {
    const all = await json('--user', 'ADA', '--since', '1h');
    expect(all.map(({ event }) => event)).to.deep.equal([
      'user.added',
      'user.roles_changed',
      'user.disabled',
      'user.enabled',
      'user.password_changed',
      'user.unlocked',
      'user.disabled',
      'user.deleted',
    ]);
    for (const { actor, subject } of all) {
      expect(actor).to.deep.equal({ kind: 'cli', id: userInfo().username });
      expect(subject?.name).to.equal('ada');
    }
    expect(all[0]?.details).to.deep.equal({ roles: ['old'] });
    expect(all[1]?.details).to.deep.equal({ before: ['old'], roles: ['admin', 'editor'] });
    const id = all[0]?.subject?.id ?? '';
    const some = await json('--user', id, '--event', 'user.added', '--event', 'user.deleted');
    expect(some).to.deep.equal([all.at(0), all.at(-1)]);
    expect(await json('--until', '1h')).to.deep.equal([]);
    const { code, stderr } = await audit('--user', 'nobody\u001B[31m');
    expect([code, stderr]).to.deep.equal([
      1,
      'There is no user "nobody\uFFFD[31m", and nothing is on record of one.\n',
    ]);
  });

  it('takes what docs/audit.md says to type', async () => {
    const [, words = ''] =
      /^coatcheck (audit .*)$/m.exec(readFileSync('docs/audit.md', 'utf8')) ?? [];
    expect(await coatcheck(...words.split(' '))).to.include({ code: 0, stderr: '' });
  });

  it('refuses what it cannot understand, and says what it would', async () => {
    const wrong: [string[], string][] = [
      [['--since', 'yesterday'], 'A time is a day, 2026-11-25; a moment with its zone'],
      [['--since', '1h', '--until', '2h'], '--since has to be before --until'],
      [['--event', 'user.'], 'There is no such event. There are: login.succeeded, '],
      [['--limit', '0'], 'a whole number from 1 to 100000'],
      [['--limit', '100001'], 'a whole number from 1 to 100000'],
      [['--follow', '--until', '1h'], '--follow does not go together with --until'],
    ];
    await inTurns(wrong, async ([args, words]) => {
      const { code, stdout, stderr } = await audit(...args);
      expect([code, stdout], args.join(' ')).to.deep.equal([2, '']);
      expect(stderr, args.join(' ')).to.include(words);
    });
  });

  it('follows: what is there, then what happens, each once; and ends when nobody reads it', async () => {
    const args = [PROGRAM, 'audit', '--follow', '--json', '--limit', '1'];
    const child = spawn(process.execPath, args, { cwd, env: cleanEnvironment() });
    try {
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (more: string) => (stdout += more));
      const has = (count: number) =>
        until(() => stdout.endsWith('\n') && lines(stdout).length >= count, child);
      await has(1);
      await coatcheck('user', 'add', 'eve');
      await has(2);
      await coatcheck('user', 'disable', 'eve');
      await has(3);
      const shown = lines(stdout).map((line) => JSON.parse(line) as OnRecord);
      expect(named(shown)).to.deep.equal([
        ['user.deleted', 'ada'],
        ['user.added', 'eve'],
        ['user.disabled', 'eve'],
      ]);
      const ended = once(child, 'exit');
      child.stdout.destroy();
      await coatcheck('user', 'enable', 'eve');
      expect(await ended).to.deep.equal([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('prints nothing that a terminal would obey, whatever is in a row', async () => {
    const database = await openDatabase(`sqlite:${cwd}/data/coatcheck.db`);
    try {
      const row = {
        at: 0,
        event: 'login.failed',
        actor_kind: 'nobody',
        actor_id: HOSTILE,
        subject_kind: 'user',
        subject_id: 'x',
        subject_name: HOSTILE,
        address: HOSTILE,
        user_agent: HOSTILE,
        request_id: HOSTILE,
        details: JSON.stringify({ [HOSTILE]: HOSTILE }),
      };
      await database.kysely
        .insertInto('audit_events')
        .values([row, { ...row, details: '{' }])
        .execute();
    } finally {
      await database.close();
    }
    const bad = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
    const table = await audit('--limit', '2');
    expect([table.code, lines(table.stdout).length]).to.deep.equal([0, 3]);
    expect(table.stdout).not.to.match(bad);
    const { code, stdout } = await audit('--limit', '2', '--json');
    expect([code, lines(stdout).length]).to.deep.equal([0, 2]);
    expect(stdout).not.to.match(bad);
    const [first = ''] = lines(stdout);
    expect(JSON.parse(first)).to.include({ user_agent: HOSTILE });
  });
});
