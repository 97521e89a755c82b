import { randomUUID } from 'node:crypto';
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';

/** What Node refuses before a request comes to be one, by the code of its error; anything else is malformed. */
const TOO_LARGE = 'HPE_HEADER_OVERFLOW';
const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT';

/** How long a client has to read why it was refused, in milliseconds. Then it is cut, whatever it still sends. */
const TO_READ = 1000;

/** Answers what never reaches the app in the form of all other errors, headers that matter included. */
export function answerRefusals(
  server: Server,
  log: Logger,
  securityHeaders: ReadonlyMap<string, string>,
): void {
  const headers = [...securityHeaders].map(([name, value]) => `${name}: ${value}`);
  const latest = new WeakMap<Duplex, ServerResponse>();
  const secured = new WeakSet<Duplex>();
  server.on('request', (req, res) => latest.set(req.socket, res));
  server.on('secureConnection', (socket: Duplex) => secured.add(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = latest.get(socket);
    // the rest of a request that has its answer already must not get another one
    const answered = answer?.headersSent === true && !answer.req.complete;
    const unreadable = socket instanceof TLSSocket && !secured.has(socket); // whatever is written waits for a handshake
    if (!socket.writable || answered || unreadable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    refuse(socket, error.code, headers, log);
  });
}

function refuse(
  socket: Duplex,
  reason: string | undefined,
  headers: readonly string[],
  log: Logger,
): void {
  const request = randomUUID();
  const [status, phrase, code, detail] = refusal(reason);
  const body = JSON.stringify({
    type: `urn:coatcheck:problem:${code}`,
    title: phrase,
    status,
    code,
    detail,
    request_id: request,
  });
  log.info({ request, route: 'none', status, reason }, 'request');
  socket.end(
    [
      `HTTP/1.1 ${status} ${phrase}`,
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...headers,
      'Cache-Control: no-store',
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  setTimeout(() => socket.destroy(), TO_READ).unref();
}

function refusal(reason: string | undefined): [number, string, string, string] {
  if (reason === TOO_LARGE) {
    const detail = 'The headers have more than 16 KiB, cookies included.';
    return [431, 'Request Header Fields Too Large', 'headers_too_large', detail];
  }
  if (reason === TOO_SLOW) {
    return [408, 'Request Timeout', 'request_timeout', 'The request did not arrive in time.'];
  }
  return [400, 'Bad Request', 'invalid_request', 'The request is not well-formed HTTP.'];
}
