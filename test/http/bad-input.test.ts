import { once } from 'node:events';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { expect } from 'chai';
import { gzipSync } from 'node:zlib';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { sessionRows } from '../support/session.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' };

describe('what is not credentials', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  /** Security 24: a refusal stores nothing. */
  async function refusal(
    headers: Record<string, string>,
    body: NonNullable<RequestInit['body']> | undefined,
  ): Promise<{ status: number; detail: unknown; body: string }> {
    const someone = app.client();
    const rows = await sessionRows(app);
    const response = await someone.request('POST', '/auth/login', headers, body);
    expect(someone.cookies.size).to.equal(0);
    expect(await sessionRows(app)).to.equal(rows);
    const text = await response.clone().text();
    return { status: response.status, detail: (await bodyOf(response))['detail'], body: text };
  }

  describe('security 19: fields of other types, sizes and kinds are a bad request that says what is wrong', () => {
    const secret = 'XYZZY';
    const values: [string, string, string][] = [
      ['a number', '7', 'must be text'],
      ['true', 'true', 'must be text'],
      ['null', 'null', 'must be text'],
      ['an array', `["${secret}"]`, 'must be text'],
      ['an object', `{"a":"${secret}"}`, 'must be text'],
      ['nothing', '""', 'is empty'],
      ['NUL', `"${secret}\\u0000"`, 'has characters that are not text'],
      ['half a character', `"${secret}\\ud800"`, 'has characters that are not text'],
      ['5,000 characters', `"${secret.repeat(1000)}"`, 'is longer than'],
    ];
    for (const field of ['username', 'password'] as const) {
      for (const [kind, json, message] of values) {
        it(`${field}: ${kind}`, async () => {
          const other = field === 'username' ? `"password":"${PASSWORD}"` : '"username":"ada"';
          const answer = await refusal(JSON_TYPE, `{"${field}":${json},${other}}`);
          expect(answer.status).to.equal(400);
          expect(answer.detail).to.include(`${field} ${message}`);
          expect(answer.body).not.to.include(secret).and.not.to.include(PASSWORD);
        });
      }

      it(`${field}: missing`, async () => {
        const other = field === 'username' ? { password: PASSWORD } : { username: 'ada' };
        const answer = await refusal(JSON_TYPE, JSON.stringify(other));
        expect([answer.status, answer.detail]).to.deep.equal([400, `${field} is missing.`]);
      });

      it(`${field}: twice in a form`, async () => {
        const form = `username=ada&password=${encodeURIComponent(PASSWORD)}&${field}=x`;
        const answer = await refusal(FORM_TYPE, form);
        expect(answer.status).to.equal(400);
        expect(answer.detail).to.include(`${field} must be text`);
      });
    }

    it('a username of blanks', async () => {
      const answer = await refusal(JSON_TYPE, JSON.stringify({ username: ' \t ', password: 'x' }));
      expect([answer.status, answer.detail]).to.deep.equal([400, 'username is empty.']);
    });

    it('fields that do not belong there, by name but never by value', async () => {
      const body = { username: 'ada', password: PASSWORD, admin: secret };
      const answer = await refusal(JSON_TYPE, JSON.stringify(body));
      expect([answer.status, answer.detail]).to.deep.equal([400, 'not a field here: admin.']);
      expect(answer.body).not.to.include(secret);
    });

    it('a form field written as a path into an object', async () => {
      for (const name of ['username[]', 'username[0]', 'username[$ne]', 'username.x']) {
        const form = `${encodeURIComponent(name)}=ada&password=x`;
        expect((await refusal(FORM_TYPE, form)).status, name).to.equal(400);
      }
    });
  });

  describe('security 4: bodies that are not JSON or a form', () => {
    const login = JSON.stringify({ username: 'ada', password: PASSWORD });

    it('of another content type are 415', async () => {
      const types = [
        'text/plain',
        'text/json',
        'multipart/form-data',
        'application/xml',
        'rubbish',
        '',
      ];
      for (const type of types) {
        const answer = await refusal({ 'Content-Type': type }, login);
        expect(answer.status, type).to.equal(415);
      }
    });

    it('in another charset than UTF-8 are 415', async () => {
      const utf16 = Buffer.from(login, 'utf16le');
      const json = { 'Content-Type': 'application/json; charset=utf-16le' };
      expect((await refusal(json, utf16)).status).to.equal(415);
      for (const charset of ['utf-7', 'utf-32', 'iso-8859-1', 'x']) {
        const typed = { 'Content-Type': `application/json; charset=${charset}` };
        expect((await refusal(typed, login)).status, charset).to.equal(415);
      }
      const form = { 'Content-Type': 'application/x-www-form-urlencoded; charset=iso-8859-1' };
      expect((await refusal(form, 'username=ada&password=x')).status).to.equal(415);
    });

    it('that are compressed are 415', async () => {
      for (const encoding of ['gzip', 'deflate', 'br', 'rubbish']) {
        const headers = { ...JSON_TYPE, 'Content-Encoding': encoding };
        expect((await refusal(headers, gzipSync(login))).status, encoding).to.equal(415);
      }
    });

    it('of a megabyte are 413', async () => {
      const huge = JSON.stringify({ username: 'ada', password: 'x'.repeat(1_000_000) });
      expect((await refusal(JSON_TYPE, huge)).status).to.equal(413);
      const form = `username=ada&password=${'x'.repeat(1_000_000)}`;
      expect((await refusal(FORM_TYPE, form)).status).to.equal(413);
    });

    it('that say they will be too large are 413 before they come', async () => {
      for (const path of ['/auth/login', '/auth/register', '/auth/password', '/auth/logout']) {
        const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 16385\r\n\r\n{`,
        );
        const answer = String(await once(socket, 'data')); // though nothing more is sent
        socket.destroy();
        expect(answer, path).to.match(/^HTTP\/1\.1 413 /);
        expect(answer, path).to.include('payload_too_large');
      }
    });

    it('that are far too large do not cost a client its answer, though it sends all of them', async () => {
      const [socket, body] = [
        connect(Number(new URL(app.url).port), '127.0.0.1'),
        32 * 1024 * 1024,
      ];
      const answers = textOf(socket);
      socket.write(
        `POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(body, 'x'));
      socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      expect((await answers).match(/HTTP\/1\.1 \d+/g)).to.deep.equal([
        'HTTP/1.1 413',
        'HTTP/1.1 200',
      ]);
    });

    it('with a thousand fields are a bad request', async () => {
      expect((await refusal(FORM_TYPE, 'a=&'.repeat(5000))).status).to.equal(400);
    });

    it('that are broken JSON are 400', async () => {
      const texts = [
        '{',
        '{"username":',
        '{"a":1}}',
        "{'a':1}",
        'null',
        '1',
        '"x"',
        '{"a":NaN}',
        '\ufeff',
        '[',
        ' ',
      ];
      for (const text of texts) {
        const answer = await refusal(JSON_TYPE, text);
        expect(answer.status, text).to.equal(400);
      }
    });

    it('that are an array are 400', async () => {
      const answer = await refusal(JSON_TYPE, `[${login}]`);
      expect([answer.status, answer.detail]).to.deep.equal([400, 'the body must be an object.']);
    });

    it('that are not UTF-8 are 400', async () => {
      const bytes = Buffer.concat([Buffer.from('{"username":"ada\xff","password":"x"}', 'latin1')]);
      const json = await refusal(JSON_TYPE, bytes);
      expect([json.status, json.detail]).to.deep.equal([400, 'The body is not valid UTF-8.']);
      for (const form of [
        'username=%ff&password=x',
        'username=%&password=x',
        'username=%zz&password=x',
      ]) {
        expect((await refusal(FORM_TYPE, form)).status, form).to.equal(400);
      }
    });

    it('that never end a string do not keep the process busy', async () => {
      // Looked at from each of its quotes anew, this would take most of a second.
      const answer = await refusal(JSON_TYPE, `"${'\\"'.repeat(8000)}`);
      expect(answer.status).to.equal(400);
    });

    it('that are nested deeply are 400', async () => {
      const depth = 8000;
      const nested = `{"username":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      expect((await refusal(JSON_TYPE, nested)).status).to.equal(400);
    });
  });

  describe('JSON with a field twice', () => {
    const refused = {
      plainly: `{"username":"ada","username":"eve","password":"${PASSWORD}"}`,
      'in another spelling': `{"username":"eve","user\\u006eame":"ada","password":"${PASSWORD}"}`,
      nested: `{"username":"ada","password":"${PASSWORD}","x":{"a":1,"b":[{"c":1,"c":2}]}}`,
      'after something nested': `{"username":"ada","x":{"username":1},"username":"eve"}`,
      'with blanks before the colon': '{"username" :"ada","username"\n\t:"eve"}',
    };
    for (const [how, body] of Object.entries(refused)) {
      it(`is refused: ${how}`, async () => {
        const answer = await refusal(JSON_TYPE, body);
        expect(answer.status).to.equal(400);
        expect(answer.detail).to.match(/^The body has a field twice: (username|c)\.$/);
      });
    }

    it('is not what a value looks like that has quotes and braces in it', async () => {
      const password = '{"username":"x","username":"y"} \\" a":';
      const passwordHash = await app.services.passwords.hash(password);
      await app.services.users.add({ username: 'quotes', passwordHash });
      expect((await app.client().login('quotes', password)).status).to.equal(200);
    });
  });

  describe('keys that would reach a prototype', () => {
    for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
      it(`${key} is refused in JSON and in a form`, async () => {
        const json = `{"username":"ada","password":"${PASSWORD}","${key}":{"admin":true}}`;
        const form = `username=ada&password=${encodeURIComponent(PASSWORD)}&${key}=x`;
        for (const answer of [await refusal(JSON_TYPE, json), await refusal(FORM_TYPE, form)]) {
          expect(answer.status).to.equal(400);
          expect(answer.detail).to.equal(`not a field here: ${key}.`);
        }
        expect(Object.hasOwn(Object.prototype, 'admin')).to.equal(false);
      });

      it(`${key} in place of the credentials is refused`, async () => {
        const json = `{"${key}":{"username":"ada","password":"${PASSWORD}"}}`;
        expect((await refusal(JSON_TYPE, json)).status).to.equal(400);
      });
    }
  });
});
