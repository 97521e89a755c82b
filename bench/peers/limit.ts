/**
 * The limit: what one exchange costs when nothing is done but to sign and to answer. There is no
 * session behind the cookie, no routing, no error handling, so no real service can be as cheap;
 * every other figure is a multiple of this one.
 */
import { createSecretKey, randomBytes, randomInt } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import jsonwebtoken from 'jsonwebtoken';
import { fromBenchmark, peerUser } from './users.ts';

const port = Number(fromBenchmark('PORT'));
const lifetime = 6 * 60 * 60;
const sessionLifetime = 7 * 24 * 60 * 60;
const issuer = `http://localhost:${port}`;
const key = createSecretKey(Buffer.from(fromBenchmark('JWT_SECRET_KEY')));
const user = peerUser('limit');
const statusList = `${issuer}/status-lists/${randomBytes(16).toString('base64url')}`;
const sessionId = crypto.randomUUID();
const signedInAt = Math.floor(Date.now() / 1000);

function ticket(now: number): string {
  const claims = {
    iss: issuer,
    sub: user.id,
    iat: now,
    exp: now + lifetime,
    jti: crypto.randomUUID(),
    sid: sessionId,
    auth_time: signedInAt,
    amr: ['bypass'],
    status: { status_list: { idx: randomInt(2 ** 17), uri: statusList } },
    ...user,
  };
  return jsonwebtoken.sign(claims, key, { algorithm: 'HS256', keyid: 'limit' });
}

/** A cookie as long as a signed session's, so that its header costs as much to parse. */
function pretendToSignIn(response: ServerResponse): void {
  const cookie = `session=s%3A${randomBytes(24).toString('base64url')}.${randomBytes(32).toString('base64url')}`;
  response.writeHead(200, { 'Set-Cookie': cookie, 'Content-Length': 0 });
  response.end();
}

function sendTicket(response: ServerResponse): void {
  const now = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    token: ticket(now),
    token_type: 'Bearer',
    expires_in: lifetime,
    expires_at: now + lifetime,
    session_expires_at: signedInAt + sessionLifetime,
  });
  response.writeHead(200, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

createServer((request, response) => {
  if (request.url === '/auth/token') sendTicket(response);
  else pretendToSignIn(response);
}).listen(port, '127.0.0.1');
