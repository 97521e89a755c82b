import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, get as httpGet, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { Client } from '../support/client.ts';
import { cleanEnvironment, until } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { base64url } from '../support/forge.ts';
import { freePort } from '../support/free-port.ts';
import { type Coatcheck, startCoatcheck } from './coatcheck.ts';
import { forgeries } from './forgeries.ts';
import { block } from './page.ts';

const PAGE = { page: 'nginx.md', language: 'nginx' };
/** Debian keeps nginx where only root's PATH leads, and says here which modules are installed. */
const NGINX = ['nginx', '/usr/sbin/nginx'];
const MODULES = '/etc/nginx/modules-enabled';

describe('docs/verify/nginx.md', function () {
  this.timeout(120_000);
  let command: string;
  let coatcheck: Coatcheck;
  let backend: Server;
  let backendPort: number;

  before(async function () {
    const found = NGINX.find((name) => spawnSync(name, ['-v']).status === 0);
    if (found === undefined || !existsSync(join(MODULES, '50-mod-http-js.conf'))) {
      process.stderr.write('nginx with its module http-js is not on this machine.\n');
      this.skip();
    }
    command = found;
    coatcheck = await startCoatcheck('HS256', 'jwt', {
      TOKEN_COOKIE: 'ticket',
      REGISTRATION: 'open',
    });
    backendPort = await freePort();
    backend = createServer((req, res) => res.end(String(req.headers['x-user-id'])));
    await new Promise<void>((resolve) => backend.listen(backendPort, '127.0.0.1', resolve));
  });

  after(async () => {
    await coatcheck?.[Symbol.asyncDispose]();
    backend?.closeAllConnections();
    backend?.close();
  });

  it('passes on who sent a good token, whatever the caller says', async () => {
    await using nginx = await startNginx(block(PAGE));
    const { token, id } = await signedUp();
    const answer = await nginx.get(token, { 'X-User-Id': 'somebody else' });
    expect([answer.status, await answer.text()]).to.deep.equal([200, id]);
  });

  it('answers 401 without a token, and to altered and foreign ones', async () => {
    await using nginx = await startNginx(block(PAGE));
    const token = await coatcheck.client.token();
    const forged = await forgeries(token, [], coatcheck.trust.secret);
    const without = await nginx.get();
    expect([without.status, without.headers.get('WWW-Authenticate')]).to.deep.equal([
      401,
      'Bearer',
    ]);
    for (const [what, text] of Object.entries(forged)) {
      expect((await nginx.get(text)).status, what).to.equal(401);
    }
  });

  it('takes no second token beside a good one', async () => {
    await using nginx = await startNginx(block(PAGE));
    const { token } = await signedUp();
    const [head = '', , signature = ''] = token.split('.');
    const admin = `${head}.${base64url('{"sub":"admin"}')}.${signature}`;
    for (const pair of [
      [token, admin],
      [admin, token],
    ]) {
      const Authorization = pair.map((text) => `Bearer ${text}`);
      const [response] = (await once(
        httpGet(nginx.url, { headers: { Authorization } }),
        'response',
      )) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).to.equal(400);
    }
  });

  it('takes no token from a cookie, which another site could make a browser send', async () => {
    await using nginx = await startNginx(block(PAGE));
    const Cookie = `ticket=${await coatcheck.client.token()}`;
    const direct = await fetch(`${coatcheck.service.url}/auth/me`, { headers: { Cookie } });
    expect(direct.status).to.equal(200);
    expect((await nginx.get(undefined, { Cookie })).status).to.equal(401);
  });

  it('refuses a token from the moment of the logout', async () => {
    await using nginx = await startNginx(block(PAGE));
    const { token, client } = await signedUp();
    expect((await nginx.get(token)).status).to.equal(200);
    await client.post('/auth/logout');
    expect((await nginx.get(token)).status).to.equal(401);
  });

  it('with a cache asks once for a token, and never takes one for another', async () => {
    await using nginx = await startNginx(withCache());
    const [one, other] = [await signedUp(), await signedUp()];
    for (const { token, id } of [one, other, one]) {
      const answer = await nginx.get(token);
      expect([answer.status, await answer.text()]).to.deep.equal([200, id]);
    }
    await one.client.post('/auth/logout');
    expect((await nginx.get(one.token)).status, 'remembered for ten seconds').to.equal(200);
    const forged = await forgeries(other.token, [], coatcheck.trust.secret);
    for (const [what, text] of Object.entries(forged)) {
      expect((await nginx.get(text)).status, what).to.equal(401);
    }
    expect((await nginx.get()).status).to.equal(401);
  });

  it('lets nobody through when Coatcheck does not answer', async () => {
    const nobody = await freePort();
    await using nginx = await startNginx(block(PAGE), nobody);
    expect((await nginx.get(await coatcheck.client.token())).status).to.equal(500);
  });

  /** Somebody new; not by the bypass, which nginx as a sign of a proxy has switched off. */
  async function signedUp() {
    const client = new Client(coatcheck.service.url);
    const username = `guest-${randomUUID().slice(0, 8)}`;
    const answer = await client.post('/auth/register', {
      username,
      password: 'seven wet umbrellas',
    });
    const { user } = (await answer.json()) as { user: { id: string } };
    return { client, id: user.id, token: await client.token() };
  }

  /** What the page says to add, where it says so. */
  function withCache(): string {
    const [server, zone, use] = [block(PAGE), block(PAGE, 1), block(PAGE, 2)];
    const place = 'location = /_token {\n';
    expect(server).to.contain(place);
    return zone + server.replace(place, () => place + use);
  }

  /** The site of the page as the only one of an nginx of its own, with its addresses and paths replaced. */
  async function startNginx(site: string, coatcheckPort = coatcheck.service.port) {
    const directory = temporaryDirectory();
    const port = await freePort();
    const script = join(directory.path, 'coatcheck.js');
    writeFileSync(script, block({ ...PAGE, language: 'js' }));
    const http = [
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${directory.path}/${name};`,
      ),
      'access_log off;',
      site
        .replaceAll('/etc/nginx/coatcheck.js', script)
        .replaceAll('/run/', `${directory.path}/`)
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${coatcheckPort}`)
        .replaceAll('127.0.0.1:8000', `127.0.0.1:${backendPort}`),
    ].join('\n');
    const main = [
      'daemon off;',
      'worker_processes 1;',
      ...(process.getuid?.() === 0 ? ['user root;'] : []), // the directory is for this user alone
      `pid ${directory.path}/pid;`,
      'error_log stderr;',
      `include ${MODULES}/*.conf;`,
      'events {}',
      `http {\n${http}\n}`,
    ].join('\n');
    const file = join(directory.path, 'nginx.conf');
    writeFileSync(file, main);
    const child = spawn(command, ['-c', file, '-e', 'stderr'], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const exited = once(child, 'close');
    const url = `http://127.0.0.1:${port}/`;
    await until(() => answers(url), child).catch((cause: unknown) => {
      throw new Error(`nginx did not start: ${said.join('')}`, { cause });
    });
    return {
      url,
      get(token?: string, headers: Record<string, string> = {}) {
        const bearer = token === undefined ? {} : { Authorization: `Bearer ${token}` };
        return fetch(url, { headers: { ...headers, ...bearer } });
      },
      async [Symbol.asyncDispose]() {
        child.kill('SIGTERM');
        await exited;
        directory[Symbol.dispose]();
      },
    };
  }
});

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}
