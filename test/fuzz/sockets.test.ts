import { expect } from 'chai';
import fc from 'fast-check';
import { expectSound } from '../support/answer.ts';
import { CANARY, expectUnharmed, holds, patient } from '../support/fuzz.ts';
import { isNodesOwn, request, sendRaw } from '../support/raw-http.ts';
import { PATHS } from '../support/routes.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const path = fc.constantFrom(...PATHS);
const JSON_HEADERS = 'Host: localhost\r\nContent-Type: application/json\r\n';
const LOGIN = JSON.stringify({ username: 'nobody', password: CANARY });

describe('Whatever comes down a socket', function () {
  this.timeout(patient(60_000));
  let service: ServiceProcess;
  before(async () => (service = await startService()));
  after(() => service[Symbol.asyncDispose]());
  afterEach(async () => {
    await expectUnharmed(service);
    expect(service.rows('users')).to.deep.equal([]);
    expect(service.rows('sessions')).to.deep.equal([]);
  });

  /** Node's own refusals and the app's answers; nothing else, and no canary. */
  async function send(bytes: string | Buffer, at = '/') {
    const raw = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const answers = await sendRaw(service.port, raw);
    for (const answer of answers) {
      if (!isNodesOwn(answer)) expectSound(answer, { path: at });
      expect(answer.body).to.not.include(CANARY.slice(0, 30));
    }
    return answers;
  }

  it('is refused without a Host, and answered in HTTP/1.0 where it needs none', async () => {
    await holds(path, 20, async (target) => {
      const [modern] = await send(`GET ${target} HTTP/1.1\r\n\r\n`);
      expect(modern?.status).to.equal(400);
      const [old] = await send(`GET ${target} HTTP/1.0\r\n\r\n`, target);
      expect(old?.status).to.be.oneOf([200, 204, 303, 401, 404, 405]);
    });
  });

  it('is not let through to the bypass when it names two hosts', async () => {
    await using fresh = await startService();
    const ask = async (...hosts: string[]) => {
      const lines = hosts.map((host) => `Host: ${host}\r\n`).join('');
      const bytes = `GET /auth/bypass?token=ada HTTP/1.1\r\n${lines}\r\n`;
      return (await sendRaw(fresh.port, bytes)).map(({ status }) => status);
    };
    expect(await ask('localhost')).to.deep.equal([200]);
    expect(await ask('localhost', 'evil.example')).to.deep.equal([404]);
    expect(await ask('localhost'), 'off for good').to.deep.equal([404]);
    const hosts = fc.tuple(fc.constantFrom('evil.example', ''), fc.boolean(), path);
    await holds(hosts, 20, async ([other, otherFirst, target]) => {
      const pair = otherFirst ? [other, 'localhost'] : ['localhost', other];
      const both = pair.map((host) => `Host: ${host}\r\n`).join('');
      const [answer] = await send(`GET ${target} HTTP/1.1\r\n${both}\r\n`, target);
      expect(answer?.status).to.be.oneOf([200, 204, 303, 401, 404, 405]);
    });
  });

  it('is refused when its length is said twice, not at all, or in no number', async () => {
    const framing = fc.constantFrom(
      'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
      'Transfer-Encoding: identity, chunked\r\nContent-Length: 1\r\n',
      'Transfer-Encoding: xchunked\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Transfer-Encoding:\x0bchunked\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n',
      'Content-Length: +5\r\n',
      'Content-Length: -1\r\n',
      'Content-Length: 0x5\r\n',
      'Content-Length: 5,5\r\n',
      'Content-Length: 1e1\r\n',
      'Content-Length: 99999999999999999999999\r\n',
    );
    const target = fc.constantFrom('/auth/login', '/auth/logout', '/auth/token', '/healthz');
    await holds(fc.tuple(target, framing), 60, async ([at, lines]) => {
      const smuggled = `GET /auth/token?${CANARY} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      const answers = await send(
        `POST ${at} HTTP/1.1\r\n${JSON_HEADERS}${lines}\r\n0\r\n\r\n${smuggled}`,
        at,
      );
      expect(answers, 'no second request in the first').to.have.lengthOf(1);
      for (const { status } of answers) expect(status).to.be.oneOf([400, 405]);
    });
  });

  it('is refused when its chunks are junk', async () => {
    const chunks = fc.oneof(
      fc.constantFrom('zz\r\n', '-1\r\n', '\r\n', '0x5\r\n', '5;\r\nhel', 'ffffffffffffffff\r\nx'),
      fc.constantFrom(
        '5\r\nhelloworld\r\n0\r\n\r\n',
        '5\nhello\n0\n\n',
        '1\r\n{\r\n',
        '0\r\nX:\0\r\n\r\n',
      ),
      fc.nat(20_000).map((length) => `1;${'x'.repeat(length)}\r\n{\r\n`),
      fc.nat(3000).map((count) => '1\r\n{\r\n'.repeat(count)),
      fc.nat(20_000).map((length) => `0\r\nX: ${'x'.repeat(length)}\r\n`),
    );
    await holds(chunks, 60, async (junk) => {
      const answers = await send(
        `POST /auth/login HTTP/1.1\r\n${JSON_HEADERS}Transfer-Encoding: chunked\r\n\r\n${junk}`,
        '/auth/login',
      );
      for (const { status } of answers) expect(status).to.be.oneOf([400, 413, 431]);
    });
  });

  it('is answered one by one when many requests come at once', async () => {
    const one = fc.constantFrom(...PATHS.filter((at) => at.startsWith('/auth/')));
    await holds(fc.array(one, { minLength: 1, maxLength: 20 }), 20, async (targets) => {
      const requests = targets.map((at) =>
        at === '/auth/login'
          ? request('POST', at, [['Content-Type', 'application/json']], '{"username":1}')
          : request('GET', at),
      );
      const answers = await send(Buffer.concat(requests), '/auth/token');
      expect(answers).to.have.lengthOf(targets.length);
      const loginAnswers = answers.filter((_answer, index) => targets[index] === '/auth/login');
      expect(loginAnswers.every(({ status }) => status === 400)).to.equal(true);
    });
  });

  it('is answered, or at once hung up on, when the caller closes its half first', async () => {
    const [token] = await send(request('GET', '/auth/token'), '/auth/token');
    expect(token?.status).to.equal(401);
    const login = request('POST', '/auth/login', [['Content-Type', 'application/json']], LOGIN);
    for (const { status } of await send(login, '/auth/login')) expect(status).to.equal(401);
  });

  it('ends without an answer of ours when it breaks off in the middle', async () => {
    const login = request('POST', '/auth/login', [['Content-Type', 'application/json']], LOGIN);
    await holds(fc.nat(login.length - 2), 80, async (length) => {
      const answers = await send(login.subarray(0, length + 1));
      expect(answers.every(isNodesOwn)).to.equal(true);
    });
  });

  it('may be dropped at any byte', async () => {
    const login = request('POST', '/auth/login', [['Content-Type', 'application/json']], LOGIN);
    const all = Buffer.concat([login, request('GET', '/auth/token')]);
    const drops = fc.array(fc.nat(all.length - 1), { minLength: 1, maxLength: 5 });
    await holds(drops, 30, async (lengths) => {
      const once = lengths.map((length) => all.subarray(0, length + 1));
      await Promise.all(once.map((bytes) => sendRaw(service.port, bytes, { drop: true })));
    });
  });

  it('does no harm when it is no HTTP', async () => {
    const junk = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
          'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
          'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n',
          'GET / HTTP/2.0\r\nHost: localhost\r\n\r\n',
          'GET /\r\n\r\n',
          'GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n',
          'GET / HTTP/1.1\nHost: localhost\n\n',
          'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n',
          'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n',
          '\r\n'.repeat(20_000),
          `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
          `GET / HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(5000)}\r\n`,
        )
        .map((text) => Buffer.from(text, 'latin1')),
    );
    await holds(junk, 100, async (bytes) => {
      await send(bytes);
    });
  });
});
