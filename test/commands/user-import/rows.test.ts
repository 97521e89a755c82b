import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import pino from 'pino';
import { SqlAudit } from '../../../audit/audit.ts';
import { firebaseParameters } from '../../../users/hashes/firebase.ts';
import { sqlUserStore } from '../../../users/sql-user-store.ts';
import { systemClock } from '../../../core/clock.ts';
import { logLines } from '../../support/command.ts';
import { temporaryDatabase, type TemporaryDatabase } from '../../support/database.ts';
import { failureOf } from '../../support/failure.ts';
import { type File, imported, inShort } from '../../support/import.ts';

const HASH = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

describe('a file of users', () => {
  let temporary: TemporaryDatabase;
  beforeEach(async () => {
    temporary = await temporaryDatabase('SQLite');
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  const users = () => sqlUserStore(temporary.database, systemClock);
  const names = async () => (await users().list()).map(({ username }) => username);
  async function report(
    file: File,
    options: Parameters<typeof imported>[2] = {},
  ): Promise<string[]> {
    return (await imported(temporary.database, file, options)).map(inShort);
  }
  const jsonl = (file: File) => report(file, { format: 'jsonl' });
  const csvOf = (column: string, value: string) =>
    report(`username,password_hash,${column}\nada,${HASH},${value}\n`);
  const jsonOf = (more: object) =>
    jsonl(JSON.stringify({ username: 'ada', password_hash: HASH, ...more }));

  describe('in CSV', () => {
    it('brings users with all that it says of them', async () => {
      const file = [
        'roles,username,created_at,email,disabled,password_hash,name',
        `"admin, editor",Ada,2019-05-17T09:30:00+02:00,Ada@Example.org,false,${HASH},"Ada ""A"" L."`,
        `,grace,1558085400,,TRUE,${HASH},`,
        '',
      ].join('\n');
      expect(await report(file)).to.deep.equal(['2 imported Ada', '3 imported grace']);
      const [ada, grace] = await users().list();
      expect(ada).to.deep.include({
        username: 'Ada',
        email: 'Ada@Example.org',
        name: 'Ada "A" L.',
        roles: ['admin', 'editor'],
        disabled: false,
        hasPassword: true,
        createdAt: Date.parse('2019-05-17T07:30:00Z'),
      });
      expect(grace).to.deep.include({ email: null, name: null, roles: [], disabled: true });
      expect(grace?.createdAt).to.equal(1_558_085_400_000);
      expect((await users().findLogin('ada@example.ORG'))?.passwordHash).to.equal(HASH);
    });

    it('leaves a line in the log of each batch that is in, also if the rest cannot be read', async () => {
      const lines: string[] = [];
      const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
      const actor = { kind: 'cli' } as const;
      const audit = new SqlAudit({ database: temporary.database, clock: systemClock, log, actor });
      const rows = Array.from({ length: 250 }, (_, index) => `user${index},${HASH}\n`);
      const file = `username,password_hash\n${rows.join('')}"torn`;
      expect((await failureOf(report(file, { audit }))).message).to.include('does not end');
      expect(await names()).to.have.length(200);
      expect(logLines(lines.join(''))).to.have.length(1);
      expect(logLines(lines.join(''))[0]).to.deep.include({ details: { users: 200 } });
    });

    it('may begin with a byte order mark, end lines with CRLF, and have empty lines', async () => {
      const file = `\uFEFFusername,password_hash\r\nada,${HASH}\r\n\r\ngrace,${HASH}`;
      expect(await report(file)).to.deep.equal(['2 imported ada', '4 imported grace']);
    });

    it('may arrive in pieces of any size', async () => {
      const bytes = Buffer.from(
        `username,name,password_hash\r\nzoë,"Zoë\r\nX",${HASH}\r\nada,"A\nX",${HASH}\r\n`,
      );
      const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
      const wrong =
        'A name has 1 to 128 characters, without control characters and without blanks at its ends.';
      expect(await report(pieces)).to.deep.equal([
        `3 refused zoë: ${wrong}`,
        `5 refused ada: ${wrong}`,
      ]);
    });

    it('is refused as a whole, with the reason, when its first line does not name the columns', async () => {
      const wrong: Record<string, string> = {
        '': 'There is nothing in it',
        [`ada,${HASH}\n`]: 'the column "ada" is not known',
        'username,email\n': 'there is no column password_hash',
        'password_hash\n': 'there is no column username',
        'username,password_hash,username\n': 'the column "username" is there twice',
        'username,password_hash,role\n': 'the column "role" is not known',
        'username;password_hash\n': 'the column "username;password_hash" is not known',
        'username,Password\n': 'Passwords in plain text are not taken',
        'username,\u001B[2J\n': 'the column "\uFFFD[2J" is not known',
      };
      for (const [file, reason] of Object.entries(wrong)) {
        const problem = await failureOf(report(file));
        expect(problem).to.include({ code: 'invalid_request' });
        expect(problem.message, file).to.include(reason);
      }
      expect(await names()).to.deep.equal([]);
    });

    it('has rows of other lengths refused, and goes on', async () => {
      const file = `username,password_hash\nada\ngrace,${HASH},more\nzoe,${HASH}\n`;
      expect(await report(file)).to.deep.equal([
        '2 refused : The row has 1 fields, and line 1 has 2.',
        '3 refused : The row has 3 fields, and line 1 has 2.',
        '4 imported zoe',
      ]);
    });

    it('has rows refused that are not UTF-8, and goes on', async () => {
      const file = [
        Buffer.from('username,name,password_hash\n'),
        Buffer.concat([Buffer.from('ada,Ren'), Buffer.from([0xe9]), Buffer.from(`,${HASH}\n`)]),
        Buffer.from(`grace,,${HASH}\n`),
      ];
      expect(await report(file)).to.deep.equal([
        '2 refused : The field name is not valid UTF-8.',
        '3 imported grace',
      ]);
    });

    it('says where quotes do not fit or a row does not end, and what to do', async () => {
      const wrong: Record<string, string> = {
        [`grace,"${HASH}" x\n`]: 'Line 3: something follows a closing quote',
        [`gr"ace,${HASH}\n`]: 'Line 3: a quote is in a field',
        [`"grace,${HASH}\n`]: 'does not end',
        [`"grace,${HASH}\n${'x'.repeat(70_000)}`]: 'more than 65536 bytes',
      };
      for (const [row, reason] of Object.entries(wrong)) {
        const problem = await failureOf(report(`username,password_hash\nada,${HASH}\n${row}`));
        expect(problem).to.include({ code: 'invalid_request' });
        expect(problem.message).to.include(reason).and.include('Mend it and run it again');
        expect(problem.message).not.to.include(HASH);
      }
    });
  });

  describe('in JSON Lines', () => {
    it('brings users with all that it says of them', async () => {
      const file = [
        { username: 'Ada', roles: ['admin', 'editor'], disabled: false, password_hash: HASH },
        { username: 'grace', roles: 'a,b', disabled: true, password_hash: null, email: null },
        { username: 'zoe', password_hash: HASH, created_at: 1_558_085_400, name: 'Zoe' },
      ].map((one) => JSON.stringify(one));
      expect(await jsonl(`\uFEFF${file.join('\r\n')}\n\n`)).to.deep.equal([
        '1 imported Ada',
        '2 imported grace: Without a password: set one with "user password".',
        '3 imported zoe',
      ]);
      const [ada, grace, zoe] = await users().list();
      expect(ada).to.deep.include({ roles: ['admin', 'editor'], disabled: false });
      expect(grace).to.deep.include({ roles: ['a', 'b'], disabled: true, hasPassword: false });
      expect(zoe).to.deep.include({ name: 'Zoe', createdAt: 1_558_085_400_000 });
    });

    it('may arrive in pieces of any size', async () => {
      const line = JSON.stringify({ username: 'zoë', password_hash: HASH });
      const bytes = Buffer.from(`${line}\n${line.replace('zoë', 'ada')}`);
      const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
      expect(await jsonl(pieces)).to.deep.equal(['1 imported zoë', '2 imported ada']);
    });

    it('has lines refused that cannot be read, and goes on', async () => {
      const good = JSON.stringify({ username: 'grace', password_hash: HASH });
      const file = [
        Buffer.from(`{"username": "ada", "password_hash": "${HASH}"\n[1]\nnull\n"ada"\n{}\n`),
        Buffer.from([0x22, 0xff, 0x22, 0x0a]),
        Buffer.from(`{"username":"${'x'.repeat(70_000)}"}\n`),
        Buffer.from(`${good}\n`),
      ];
      expect(await jsonl(file)).to.deep.equal([
        '1 refused : The line is not valid JSON.',
        '2 refused : The line is not a JSON object.',
        '3 refused : The line is not a JSON object.',
        '4 refused : The line is not a JSON object.',
        '5 refused : There is no username.',
        '6 refused : The line is not valid UTF-8.',
        '7 refused : The line has more than 65536 bytes.',
        '8 imported grace',
      ]);
    });

    it('keeps no more of an endless line than fits', async () => {
      function* endless() {
        // 1 GiB. What has been read lies about until it is collected: 100 MB of it and more, on a busy machine.
        for (let left = 16_384; left > 0; left -= 1) yield Buffer.alloc(65_536, 'x');
        yield Buffer.from(`\n${JSON.stringify({ username: 'ada', password_hash: HASH })}\n`);
      }
      const before = process.memoryUsage().rss;
      expect(await jsonl(endless())).to.deep.equal([
        '1 refused : The line has more than 65536 bytes.',
        '2 imported ada',
      ]);
      expect(process.memoryUsage().rss - before).to.be.below(512 * 2 ** 20);
    });

    it('has unknown fields refused by their names, and passwords in plain text', async () => {
      expect(await jsonOf({ role: 'admin' })).to.deep.equal([
        '1 refused ada: Not a field here: role.',
      ]);
      const [plain] = await jsonOf({ password: 'U*U' });
      expect(plain).to.match(/^1 refused ada: Passwords in plain text are not taken/);
      expect(await names()).to.deep.equal([]);
    });
  });

  it('has fields refused that cannot be ones, with the reason and never a hash', async () => {
    const wrong: [Promise<string[]>, string][] = [
      [csvOf('email', 'nowhere'), 'An e-mail address looks like'],
      [csvOf('roles', '"a,,b"'), 'A role is 1 to 64 letters'],
      [csvOf('disabled', 'maybe'), 'disabled must be true or false'],
      [csvOf('created_at', 'yesterday'), 'created_at must be a time'],
      [csvOf('created_at', '17.05.2019'), 'created_at must be a time'],
      [csvOf('created_at', '2019-05-17T09:30:00'), 'created_at must be a time'],
      [csvOf('created_at', '2019-13-17'), 'created_at must be a time'],
      [csvOf('created_at', '-1'), 'created_at must be a time'],
      [csvOf('created_at', '1558085400000'), 'created_at is in milliseconds'],
      [csvOf('created_at', '2026-11-02'), 'created_at is in the future'],
      [csvOf('password_salt', 'c2FsdA=='), 'say --firebase'],
      [jsonOf({ username: 7 }), 'There is no username'],
      [jsonOf({ username: 'me@example.org' }), 'A username is 1 to 64 letters'],
      [jsonOf({ email: 7 }), 'email must be text'],
      [jsonOf({ name: ['Ada'] }), 'name must be text'],
      [jsonOf({ roles: { admin: true } }), 'roles must be a list of texts'],
      [jsonOf({ roles: [7] }), 'roles must be a list of texts'],
      [jsonOf({ disabled: 2 }), 'disabled must be true or false'],
      [jsonOf({ created_at: true }), 'created_at must be a time'],
      [jsonOf({ password_hash: undefined }), 'There is no password_hash'],
      [jsonOf({ password_hash: 7 }), 'There is no password_hash'],
      [jsonOf({ password_hash: 'plain' }), 'damaged or of a kind that is not known'],
      [jsonOf({ password_hash: HASH.replace('$05$', '$31$') }), 'costs too much (bcrypt, cost 31)'],
    ];
    for (const [lines, reason] of wrong) {
      const [line, ...more] = await lines;
      expect(more).to.deep.equal([]);
      expect(line).to.include(' refused ').and.include(reason).and.not.include(HASH.slice(-20));
    }
    expect(await names()).to.deep.equal([]);
  });

  it('has the second of two refused that are one user, with the line of the first', async () => {
    const file = [
      'username,email,password_hash',
      `Ada,ada@example.org,${HASH}`,
      `ａｄａ,,${HASH}`,
      `grace,ADA@example.org,${HASH}`,
      `ADA,ada@example.org,${HASH}`,
      `grace,,${HASH}`,
    ].join('\n');
    const again = 'Line 2 has that username or e-mail address already.';
    expect(await report(file)).to.deep.equal([
      '2 imported Ada',
      `3 refused ａｄａ: ${again}`,
      `4 refused grace: ${again}`,
      `5 refused ADA: ${again}`,
      '6 imported grace',
    ]);
  });

  it('can be Firebase’s, and its users know their passwords', async () => {
    const sample = JSON.parse(readFileSync('test/vectors/firebase.json', 'utf8')) as {
      parameters: string;
      password_hash: string;
      password_salt: string;
    };
    const firebase = firebaseParameters(sample.parameters);
    const row = { password_hash: sample.password_hash, password_salt: sample.password_salt };
    const rows = [
      { username: 'ada', ...row },
      { username: 'grace', ...row, password_salt: '' },
      { username: 'zoe', ...row, password_hash: 'AAAA' },
      { username: 'none', password_hash: '', password_salt: null },
    ].map((one) => JSON.stringify(one));
    const lines = await report(rows.join('\n'), { format: 'jsonl', firebase });
    expect(lines[0]).to.equal('1 imported ada');
    expect(lines[1]).to.include('2 refused grace: The password hash is damaged or of a kind');
    expect(lines[2]).to.include('3 refused zoe: The password hash is not as long');
    expect(lines[3]).to.include('4 imported none: Without a password');
    expect((await users().findLogin('ada'))?.passwordHash).to.match(/^\$firebase-scrypt\$/);
  });

  it('changes nothing when it is only tried, and says what would become of it', async () => {
    await users().add({ username: 'grace', email: 'grace@example.org' });
    await users().add({ username: 'mia', email: 'mia@example.org' });
    const file = `username,email,password_hash\nada,,${HASH}\ngrace,grace@example.org,${HASH}\nada,,${HASH}\nzoe,MIA@example.org,${HASH}\n`;
    const tried = await report(file, { dryRun: true });
    expect(await names()).to.deep.equal(['grace', 'mia']);
    expect(await report(file)).to.deep.equal(tried);
    expect(tried).to.deep.equal([
      '2 imported ada',
      '3 exists grace',
      '4 refused ada: Line 2 has that username or e-mail address already.',
      '5 refused zoe: Another user has that e-mail address.',
    ]);
  });
});
