import { connect } from 'node:net';
import { type Answer, PATIENCE } from './answer.ts';

/**
 * Writes bytes to the port of a server on this machine, closes its half, and reads until the server closes too.
 * @param drop hangs up after writing, without reading anything
 * @throws when the server has not closed in time
 */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  { drop = false }: { drop?: boolean } = {},
): Promise<Answer[]> {
  const received: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const late = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `no end within ${PATIENCE} ms, after: ${Buffer.concat(received).toString('latin1')}`,
        ),
      );
    }, PATIENCE);
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => undefined); // a server that hangs up while we still write: what it said counts
    socket.on('close', () => {
      clearTimeout(late);
      resolve();
    });
    socket.on('end', () => socket.end());
    if (drop) socket.write(bytes, () => socket.destroy());
    else socket.end(bytes);
  });
  return parseAnswers(Buffer.concat(received).toString('latin1'));
}

/** One request of HTTP/1.1; latin1, so that any byte can be in it. */
export function request(
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[] = [],
  body = '',
): Buffer {
  const lines = [['Host', 'localhost'] as const, ...headers].map((pair) => pair.join(': '));
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
  return Buffer.from(
    [`${method} ${target} HTTP/1.1`, ...lines, ...length, '', body].join('\r\n'),
    'latin1',
  );
}

/** Answers one after the other; a 1xx is no answer yet, and one without a length ends with the connection. */
function parseAnswers(text: string): Answer[] {
  const answers: Answer[] = [];
  for (let rest = text; rest !== '';) {
    const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
    if (head === null) throw new Error(`this is no answer: ${rest.slice(0, 200)}`);
    const headers = parseHeaders(head[2] ?? '');
    const from = head[0].length;
    const status = Number(head[1]);
    const length = status < 200 ? 0 : Number(headers.get('content-length') ?? Infinity);
    const body = rest.slice(from, from + length).replace(/^0\r\n\r\n$/, ''); // no chunks: Node's own
    const noBody = body.startsWith('HTTP/'); // the answer to a HEAD says how long it would be
    answers.push({ status, headers, body: noBody ? '' : body });
    rest = noBody ? body : rest.slice(from + length);
  }
  return answers.filter(({ status }) => status >= 200);
}

function parseHeaders(lines: string): Headers {
  const headers = new Headers();
  for (const line of lines.split('\r\n').filter((text) => text !== '')) {
    headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim());
  }
  return headers;
}

/** What Node answers by itself to bytes that are no request it would hand to the app: a status and nothing else. */
export function isNodesOwn({ status, headers, body }: Answer): boolean {
  const refusal =
    /"detail":"The (request is not well-formed HTTP|headers have more than|request did not)/;
  const bare = body === '' && !headers.has('content-security-policy');
  return [400, 408, 413, 417, 431].includes(status) && (bare || refusal.test(body));
}
