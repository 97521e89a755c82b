import { connect, type Socket } from 'node:net';

/** An HTTP answer, parsed no further than counting and checking need. */
export interface Answer {
  readonly status: number;
  /** Status line and header fields as they came. */
  readonly head: string;
  /** In whole; where it came in chunks, with their framing. */
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
}

const empty = Buffer.alloc(0);
const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');
const patience = 10_000;

/**
 * Takes one answer from the start of what was received.
 *
 * @returns undefined while it is incomplete
 */
function parseAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = received.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const rest = received.subarray(end + headEnd.length);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const body = length === undefined ? unframed(status, rest) : sized(rest, Number(length));
  return body && { status, head, body };
}

function sized(rest: Buffer, length: number): Buffer | undefined {
  return rest.length < length ? undefined : rest.subarray(0, length);
}

/** Some answers have no body; those without a length come in chunks, to be shown as they came. */
function unframed(status: number, rest: Buffer): Buffer | undefined {
  if (status === 204 || status === 304) return empty;
  if (rest.equals(lastChunk)) return empty;
  return rest.subarray(-lastChunk.length).equals(lastChunk) ? rest : undefined;
}

/**
 * One keep-alive connection with at most one request in flight. It exists because a general HTTP
 * client costs about as much CPU as the servers under test, and would set the rate itself.
 */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = empty;
  #waiting: Waiting | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(patience, () => socket.destroy(new Error(`no answer in ${patience} ms`)));
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** Connects to a port on loopback. */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** Sends one whole request and waits for its answer. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length > 0 ? Buffer.concat([this.#received, chunk]) : chunk;
    const answer = parseAnswer(this.#received);
    if (answer) this.#deliver(answer);
  }

  #deliver(answer: Answer): void {
    const waiting = this.#waiting;
    this.#received = empty;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
