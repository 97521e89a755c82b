import { writeFileSync } from 'node:fs';
import { Agent, createServer, get, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { drain } from '../../commands/listen.ts';
import { Client } from '../support/client.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';

const CLIENTS = 50;

describe('a service that is told to stop', function () {
  this.timeout(30_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  before(() => run(['init'], { cwd }));
  after(() => directory[Symbol.dispose]());

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`fails no request of ${CLIENTS} busy clients at ${signal}, and ends with 0`, async () => {
      await using service = await serve({ cwd });
      const headers = await sessionOf(service);
      let answers = 0;
      let connected = 0;
      let told = false;
      const client = async () => {
        using line = new Line(service);
        for (let asked = 1; ; asked += 1) {
          const answer = await line.get('/auth/token', headers);
          expect(answer.status).to.equal(200);
          expect(answer.body).to.match(/^\{"token":".*\}$/);
          answers += 1;
          if (asked === 1) connected += 1;
          if (connected === CLIENTS && answers >= CLIENTS * 4 && !told) {
            told = true;
            service.signal(signal);
          }
          if (answer.headers.connection === 'close') return;
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      const { code, stdout } = await service.exited;
      expect(code).to.equal(0);
      expect(answers).to.be.at.least(CLIENTS * 4);
      expect(logLines(stdout).filter(({ status }) => status === 500)).to.deep.equal([]);
    });
  }

  it('says 503 at /readyz to whoever is still connected, finishes what it began, and takes nobody new', async () => {
    await using service = await serve({ cwd });
    using line = new Line(service);
    using slow = await SlowLogin.begin(service.port);
    expect((await line.get('/readyz')).status).to.equal(200);
    service.signal('SIGTERM');
    const { status, body, headers } = await refusal(line);
    expect([status, headers.connection]).to.deep.equal([503, 'close']);
    expect(JSON.parse(body)).to.deep.equal({ status: 'not ready', failures: ['draining'] });
    expect(await isRefused(service.port)).to.be.true;
    expect(service.output().code, 'it waits for the slow one').to.be.null;
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    expect((await service.exited).code).to.equal(0);
  });

  it('takes a signal that comes twice at once, as npm and the terminal send it, for one', async () => {
    await using service = await serve({ cwd });
    using line = new Line(service);
    using slow = await SlowLogin.begin(service.port);
    await line.get('/readyz');
    service.signal('SIGINT');
    service.signal('SIGTERM');
    await refusal(line);
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    expect((await service.exited).code).to.equal(0);
  });

  it('ends at once at a second signal, whoever is still waiting', async () => {
    await using service = await serve({ cwd });
    using _slow = await SlowLogin.begin(service.port);
    const begun = performance.now();
    service.signal('SIGTERM');
    const impatient = setInterval(() => service.signal('SIGINT'), 50);
    const { code } = await service.exited;
    clearInterval(impatient);
    expect(code).to.equal(1);
    expect(performance.now() - begun).to.be.below(5000);
  });

  it('does not wait for ever for a request that hangs', async () => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    using slow = await SlowLogin.begin(port);
    await drain(server, 50);
    expect(await slow.rest()).to.equal('');
  });

  describe('because of an error that nothing caught', () => {
    /** Loaded into the service: makes the mistakes that no request of it makes by itself. */
    const mistakes = `
      process.once('SIGUSR2', () => void Promise.reject(new Error('a loose end')));
      process.once('SIGHUP', () => { throw new TypeError('a wrong turn', { cause: new Error('the root') }); });
    `;
    const script = join(cwd, 'mistakes.mjs');
    const env = { NODE_OPTIONS: `--import=${script}` };
    before(() => writeFileSync(script, mistakes));

    for (const [signal, name, error] of [
      ['SIGUSR2', 'a promise that nobody waited for', { type: 'Error', message: 'a loose end' }],
      ['SIGHUP', 'an exception', { type: 'TypeError', message: 'a wrong turn', cause: 'the root' }],
    ] as const) {
      it(`logs it as fatal, finishes the requests in flight and ends with 1: ${name}`, async () => {
        await using service = await serve({ cwd, env });
        using line = new Line(service);
        using slow = await SlowLogin.begin(service.port);
        await line.get('/readyz');
        service.signal(signal);
        await refusal(line);
        expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
        const { code, stdout, stderr } = await service.exited;
        expect([code, stderr]).to.deep.equal([1, '']);
        const fatal = logLines(stdout).filter(({ level }) => level === 60);
        expect(fatal).to.have.lengthOf(1);
        expect(fatal[0]?.['error']).to.deep.include(error);
        expect(fatal[0]).to.have.nested.property('error.stack').that.includes('mistakes.mjs');
      });
    }
  });
});

async function sessionOf({ url }: Served): Promise<Record<string, string>> {
  const client = new Client(url);
  await client.get('/auth/bypass?token=ada');
  return { Cookie: [...client.cookies].map((pair) => pair.join('=')).join('; ') };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One connection that is kept alive. */
class Line implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor({ url }: Served) {
    this.#url = url;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = get(this.#url + path, { agent: this.#agent, headers }, (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode, headers: response.headers, body }),
          reject,
        );
      });
      request.once('error', reject);
    });
  }

  [Symbol.dispose]() {
    this.#agent.destroy();
  }
}

/** Asks until the signal has arrived over there. */
async function refusal(line: Line): Promise<Answer> {
  for (;;) {
    const answer = await line.get('/readyz');
    if (answer.status !== 200) return answer;
  }
}

const FIRST = '{"username":"nobody",';
const SECOND = '"password":"wrong"}';

/** A login of which the second half of the body is still to come. */
class SlowLogin implements Disposable {
  readonly #socket: Socket;
  #received = '';
  readonly #ended: Promise<void>;

  private constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (more) => (this.#received += String(more)));
    this.#socket.on('error', () => undefined); // cut off: then nothing more was received
    this.#ended = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.write(
      `POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${FIRST.length + SECOND.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n${FIRST}`,
    );
  }

  /** Resolves when the server has the request in its hands. */
  static async begin(port: number): Promise<SlowLogin> {
    const login = new SlowLogin(port);
    await new Promise((resolve) => login.#socket.once('data', resolve));
    if (!login.#received.startsWith('HTTP/1.1 100 ')) throw new Error(login.#received);
    login.#received = '';
    return login;
  }

  /** Sends the rest. @returns the answer */
  finish(): Promise<string> {
    this.#socket.write(SECOND);
    return this.rest();
  }

  /** What comes until the connection is closed. */
  async rest(): Promise<string> {
    await this.#ended;
    return this.#received;
  }

  [Symbol.dispose]() {
    this.#socket.destroy();
  }
}

function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
    socket.once('close', () => socket.destroy());
  });
}
