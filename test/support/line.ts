import { Agent, get, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/** Settings with which the service is in production, though nobody but the tests is in front of it. */
export const BEHIND_A_PROXY = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://login.example.org',
  TRUST_PROXY: '127.0.0.1',
  BYPASS_AUTH: 'false',
};

/** What the proxy adds. */
export const FORWARDED = { 'X-Forwarded-Proto': 'https' };

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One connection that is kept alive. */
export class Line implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor({ url }: { readonly url: string }) {
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

/**
 * Exchanges on so many connections at once, on each until the answer says that it is closed.
 * @param busy called once all of them are at it
 * @returns how many answers there were, each of them a token
 */
export async function exchangeUntilClosed(
  service: { readonly url: string },
  headers: Record<string, string>,
  clients: number,
  busy: () => void,
): Promise<number> {
  let answers = 0;
  let connected = 0;
  let told = false;
  const client = async () => {
    using line = new Line(service);
    for (let asked = 1; ; asked += 1) {
      const closes = await exchange(line, headers);
      answers += 1;
      if (asked === 1) connected += 1;
      if (connected === clients && answers >= clients * 4 && !told) {
        told = true;
        busy();
      }
      if (closes) return;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return answers;
}

/** @returns whether the connection is closed with the answer. @throws when that is no token */
export async function exchange(line: Line, headers: Record<string, string>): Promise<boolean> {
  const answer = await line.get('/auth/token', headers);
  if (answer.status !== 200 || !/^\{"token":".*\}$/.test(answer.body)) {
    throw new Error(`an exchange was answered ${String(answer.status)}: ${answer.body}`);
  }
  return answer.headers.connection === 'close';
}

/** Asks until the signal has arrived over there. */
export async function refusal(line: Line): Promise<Answer> {
  for (;;) {
    const answer = await line.get('/readyz');
    if (answer.status !== 200) return answer;
  }
}

const FIRST = '{"username":"nobody",';
const SECOND = '"password":"wrong"}';

/** A login of which the second half of the body is still to come. */
export class SlowLogin implements Disposable {
  readonly #socket: Socket;
  #received = '';
  readonly #ended: Promise<void>;

  private constructor(port: number, headers: Readonly<Record<string, string>>) {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (chunk) => (this.#received += String(chunk)));
    this.#socket.on('error', () => undefined); // cut off: then nothing more was received
    this.#ended = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.write(
      `POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${FIRST.length + SECOND.length}\r\nExpect: 100-continue\r\nConnection: close\r\n${fields.join('')}\r\n${FIRST}`,
    );
  }

  /** Resolves when the server has the request in its hands. */
  static async begin(
    port: number,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<SlowLogin> {
    const login = new SlowLogin(port, headers);
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

export function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
    socket.once('close', () => socket.destroy());
  });
}
