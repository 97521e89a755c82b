import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { PASSWORD } from '../../support/app.ts';
import { doneByCommand } from '../../support/audit.ts';
import { bodyOf, Client } from '../../support/client.ts';
import {
  cleanEnvironment,
  inTurns,
  PROGRAM,
  run,
  serve,
  type Served,
} from '../../support/command.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { hasPseudoTerminal, runOnTerminal } from '../../support/pseudo-terminal.ts';

/** crypt_blowfish's, for `U*U`. */
const HASH = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

describe('coatcheck user import', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let service: Served;
  before(async () => {
    await run(['init'], { cwd });
    service = await serve({ cwd });
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const importing = (args: string[], stdin = '') =>
    run(['user', 'import', ...args], { cwd, stdin });
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
  const login = (name: string, password = 'U*U') => new Client(service.url).login(name, password);

  it('brings users who sign in with the passwords that they have, while the service runs', async () => {
    write(
      'users.csv',
      `username,email,roles,disabled,password_hash\nada,ada@example.org,"admin,editor",,${HASH}\ngrace,,,true,${HASH}\n`,
    );
    const { code, stdout, stderr } = await importing(['users.csv']);
    expect([code, stderr]).to.deep.equal([0, 'Imported 2; 0 there already; 0 refused.\n']);
    expect(stdout.split('\n')).to.deep.equal([
      'LINE      RESULT    USERNAME                  REASON',
      '2         imported  ada',
      '3         imported  grace',
      '',
    ]);
    const done = await doneByCommand(cwd);
    expect(
      done.map(({ event, subject, details }) => [event, subject?.name, details]),
    ).to.deep.equal([
      ['user.imported', undefined, { users: 2 }],
      ['user.added', 'ada', { roles: ['admin', 'editor'] }],
    ]);
    for (const name of ['ada', 'ADA@example.org']) {
      const { user } = await bodyOf(await login(name));
      expect(user).to.deep.include({ username: 'ada', roles: ['admin', 'editor'] });
    }
  });

  it('security 11: wrong passwords, disabled users and unknown names get one answer, imported or not', async () => {
    const hash = `${HASH}\n`;
    write('eleven.csv', `username,disabled,password_hash\nbob,,${hash}dan,true,${hash}`);
    await importing(['eleven.csv']);
    const refusals = await Promise.all(
      [
        ['bob', 'U*U*'],
        ['dan', 'U*U'],
        ['dan', 'U*U*'],
        ['nobody', 'U*U'],
      ].map(async ([name = '', password = '']) => {
        const response = await login(name, password);
        const { request_id: _, ...body } = await bodyOf(response);
        return JSON.stringify({ ...body, status: response.status });
      }),
    );
    expect(refusals[0]).to.include('"invalid_credentials"').and.include('"status":401');
    expect(new Set(refusals).size).to.equal(1);
  });

  it('tells of every row, exit code 1 when one is refused, and passes over who is in', async () => {
    await run(['user', 'add', 'eve'], { cwd, stdin: PASSWORD });
    write('mixed.csv', `username,password_hash\neve,${HASH}\nfay,${HASH}\nzoe,\u001B[2J\n`);
    const tried = await importing(['mixed.csv', '--json', '--dry-run']);
    expect([tried.code, tried.stderr]).to.deep.equal([
      1,
      'Would import 1; 1 there already; 1 refused. Nothing was changed.\n',
    ]);
    const first = await importing(['mixed.csv', '--json']);
    expect(first).to.deep.equal({
      code: 1,
      stdout: tried.stdout,
      stderr: 'Imported 1; 1 there already; 1 refused.\n',
    });
    const lines: unknown = JSON.parse(first.stdout);
    const reason =
      'The password hash is damaged or of a kind that is not known: bcrypt, scrypt, PBKDF2, argon2 and those of Firebase are.';
    expect(lines).to.deep.equal([
      { line: 2, username: 'eve', result: 'exists', reason: '' },
      { line: 3, username: 'fay', result: 'imported', reason: '' },
      { line: 4, username: 'zoe', result: 'refused', reason },
    ]);
    const again = await importing(['mixed.csv']);
    expect(again.stderr).to.equal('Imported 0; 2 there already; 1 refused.\n');
    expect((await login('eve', PASSWORD)).status).to.equal(200);
  });

  it('writes the report into a new file that is its owner’s alone, and over nothing that exists', async () => {
    const users = `${JSON.stringify({ username: 'gil', password_hash: HASH })}\n`;
    write('gil.jsonl', users);
    const over = await importing(['gil.jsonl', '--report', 'gil.jsonl']);
    expect(over).to.deep.equal({
      code: 1,
      stdout: '',
      stderr: 'gil.jsonl exists already, and no report is written over it: name another file.\n',
    });
    expect(read('gil.jsonl')).to.equal(users);
    const { code, stdout } = await importing(['gil.jsonl', '--report', 'gil.txt']);
    expect([code, stdout]).to.deep.equal([0, '']);
    expect(read('gil.txt')).to.match(/^LINE +RESULT +USERNAME +REASON\n1 +imported +gil\n$/);
    expect(statSync(join(cwd, 'gil.txt')).mode & 0o777).to.equal(0o600);
  });

  it('reads standard input when it is told what that is', async () => {
    const line = JSON.stringify({ username: 'ian', password_hash: HASH });
    const { stderr } = await importing(['-', '--format', 'jsonl'], line);
    expect(stderr).to.equal('Imported 1; 0 there already; 0 refused.\n');
  });

  it('names what is wrong with what it is given, and imports nobody', async () => {
    mkdirSync(join(cwd, 'some.csv'));
    write('bad.csv', `username,password_hash,role\njo,${HASH},x\n`);
    write('parameters.txt', 'hash_config {}');
    const wrong: [string[], number, string][] = [
      [['-'], 2, '- does not end in .csv or .jsonl: say --format csv or --format jsonl'],
      [['none.csv'], 1, "ENOENT: no such file or directory, open 'none.csv'"],
      [['some.csv'], 1, 'some.csv is a directory: name a file in it.'],
      [['bad.csv'], 1, 'Line 1 names the columns, but the column "role" is not known.'],
      [['bad.csv', '--firebase', 'parameters.txt'], 1, 'copy them from "Password hash parameters"'],
    ];
    await inTurns(wrong, async ([args, exitCode, reason]) => {
      const { code, stderr } = await importing(args);
      expect([code, stderr.includes(reason)], stderr).to.deep.equal([exitCode, true]);
      expect(stderr).not.to.include('    at ');
    });
    expect((await login('jo')).status).to.equal(401);
  });

  it('keeps on a terminal to the summary and what was refused', async function () {
    if (!hasPseudoTerminal()) this.skip();
    const bad = Array.from({ length: 30 }, (_, row) => `bad${row},none\n`);
    write('screen.csv', `username,password_hash\nkay,${HASH}\n${bad.join('')}`);
    const { code, screen } = await runOnTerminal(['user', 'import', 'screen.csv'], cwd, []);
    expect(code).to.equal(1);
    expect(screen).to.include('bad0 ').and.include('bad19').and.not.include('bad20');
    expect(screen).to.match(/Imported 1; 0 there already; 30 refused\.\s*$/);
    expect(screen).not.to.match(/imported +kay/);
  });

  it('stops when nobody reads the report any more, and has what it reported', async () => {
    const args = [PROGRAM, 'user', 'import', '-', '--format', 'jsonl'];
    const child = spawn(process.execPath, args, {
      cwd,
      env: cleanEnvironment(),
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    child.stdin.on('error', () => undefined);
    const batch = (name: string) =>
      Array.from({ length: 200 }, (_, row) => {
        return `${JSON.stringify({ username: `${name}${row}`, password_hash: HASH })}\n`;
      }).join('');
    child.stdin.write(batch('first'));
    const ended = Promise.all([text(child.stderr), once(child, 'close')]);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.stdin.end(batch('second'));
    const [stderr] = await ended;
    expect(child.exitCode).to.equal(1);
    expect(stderr).to.match(/^Imported \d+; 0 there already; 0 refused\.\nwrite EPIPE\n$/);
    expect((await login('first0')).status).to.equal(200);
  });

  for (const [format, rows] of [
    ['csv', `username,password_hash\nopen1,${HASH}\nbroken\nnext`], // where a row of CSV ends, the next byte says
    ['jsonl', `{"username":"open2","password_hash":"${HASH}"}\n{"username":"broken"\n`],
  ] as const) {
    it(`tells of a broken row of ${format} at once, also where the pipe that it came from stays open`, async () => {
      const child = spawn(process.execPath, [PROGRAM, 'user', 'import', '-', '--format', format], {
        cwd,
        env: cleanEnvironment(),
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      child.stdin.write(rows);
      const closed = once(child, 'close');
      let report = '';
      for await (const piece of child.stdout.setEncoding('utf8')) {
        report += String(piece);
        if (report.endsWith('.\n')) child.stdin.end(); // and not before
      }
      expect(report).to.match(/ imported +open\d\n\d +refused .*\.\n/);
      expect((await closed)[0]).to.equal(1);
      expect((await login(format === 'csv' ? 'open1' : 'open2')).status).to.equal(200);
    });
  }

  it('lets two import the same at once, and everybody is there once', async () => {
    const rows = Array.from({ length: 1000 }, (_, row) => `twin${row},${HASH}\n`);
    write('twins.csv', `username,password_hash\n${rows.join('')}`);
    const both = await Promise.all([importing(['twins.csv']), importing(['twins.csv'])]);
    const counts = both.map(({ code, stderr }) => {
      const [, imported, exist] =
        /Imported (\d+); (\d+) there already; 0 refused/.exec(stderr) ?? [];
      expect([code, Number(imported) + Number(exist)], stderr).to.deep.equal([0, 1000]);
      return Number(imported);
    });
    expect(counts.reduce((sum, count) => sum + count)).to.equal(1000);
  });
});

describe('docs/importing-users.md', function () {
  this.timeout(120_000);

  it('shows files and commands that work', async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    const page = readFileSync('docs/importing-users.md', 'utf8');
    const block = (language: string) =>
      new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1] ?? '';
    writeFileSync(join(cwd, 'users.csv'), block('csv'));
    writeFileSync(join(cwd, 'users.jsonl'), block('jsonl'));
    for (const command of block('sh').trim().split('\n')) {
      const [, words = ''] = /^npm run coatcheck -- (user import .+)$/.exec(command) ?? [];
      expect((await run(words.split(' '), { cwd })).code, command).to.equal(0);
    }
    const { stderr } = await run(['user', 'import', 'users.jsonl'], { cwd });
    expect(stderr).to.equal('Imported 1; 1 there already; 0 refused.\n');
    await using service = await serve({ cwd });
    for (const name of ['ada@example.org', 'grace']) {
      const response = await new Client(service.url).login(name, 'example of importing');
      expect(response.status, name).to.equal(200);
    }
  });
});
