import { createServer } from 'node:http';
import { requireToken } from '#verify';

/**
 * An API as a process of its own: `node api-process.ts <issuer> <revocation>`, with JWT_SECRET_KEY if it has the secret. GET / wants a token; POST /advance?seconds=61 moves
 * its clock. Its port is its first line.
 */
const [issuer = '', revocation = 'when-reachable'] = process.argv.slice(2);
const secret = process.env['JWT_SECRET_KEY'];
let ahead = 0;
const guard = requireToken({
  issuer,
  ...(secret === undefined ? { discovery: true } : { secret }),
  revocation: revocation === 'required' ? 'required' : 'when-reachable',
  now: () => Date.now() + ahead,
});

const server = createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url ?? '/', 'http://api');
  if (pathname === '/advance') {
    ahead += Number(searchParams.get('seconds')) * 1000;
    res.end();
    return;
  }
  guard(req, res, (error) => {
    res.statusCode = error === undefined ? 200 : 500;
    res.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${String(address?.port)}\n`);
});
