import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { inTurns, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('where the service listens', function () {
  this.timeout(30_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  before(() => run(['init'], { cwd }));
  after(() => directory[Symbol.dispose]());

  it('says in one sentence that the port is taken, and ends with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    const { code, stderr } = await run(['serve'], { cwd, env: { PORT: port } });
    other.close();
    expect(code).to.equal(1);
    expect(stderr).to.equal(
      `Cannot listen on 127.0.0.1:${port}: another process listens there. End that one, or set PORT to another port.\n`,
    );
  });

  it('says in one sentence that the address is of another machine', async () => {
    const env = { HOST: '2001:db8::1', PORT: '8080', BYPASS_AUTH: 'false' };
    const { code, stderr } = await run(['serve'], { cwd, env });
    expect(code).to.equal(1);
    expect(stderr).to.match(/^Cannot listen on \[2001:db8::1\]:8080: [^\n]+\n$/);
  });

  describe('with a certificate', () => {
    const cert = join(cwd, 'cert.pem');
    const key = join(cwd, 'key.pem');
    const env = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };

    before(function () {
      const options =
        'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
      const args = [...options.split(' '), '-keyout', key, '-out', cert];
      const { error, status } = spawnSync('openssl', args);
      if (error !== undefined || status !== 0) this.skip(); // no openssl here to make one with
    });

    it('answers https by itself, with a cookie for https alone', async () => {
      await using service = await serve({ cwd, env });
      const answer = await fetchTls(
        `https://localhost:${service.port}/auth/bypass?token=ada`,
        cert,
      );
      expect(answer.status).to.equal(200);
      expect(answer.cookie).to.match(/^__Host-session=.*; Secure/);
      const Cookie = answer.cookie.split(';', 1).join('');
      const exchange = await fetchTls(`https://localhost:${service.port}/auth/token`, cert, {
        Cookie,
      });
      expect(exchange.status).to.equal(200);
      const { code, stdout, stderr } = await service.stop();
      expect(code).to.equal(0);
      const [, secret = ''] = readFileSync(key, 'utf8').split('\n');
      expect(secret).to.have.lengthOf.above(30);
      expect(stdout + stderr).not.to.include(secret);
    });

    it('says which of the two files cannot be used and why, exit code 78', async () => {
      const junk = join(cwd, 'junk.pem');
      writeFileSync(junk, 'this is no certificate');
      const wrong: [Record<string, string>, RegExp][] = [
        [
          { TLS_CERT_FILE: join(cwd, 'nowhere.pem') },
          /- TLS_CERT_FILE cannot be read: ENOENT: .*nowhere\.pem/,
        ],
        [{ TLS_KEY_FILE: cwd }, /- TLS_KEY_FILE cannot be read: EISDIR: /],
        [
          { TLS_CERT_FILE: junk },
          /- TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and the key/,
        ],
        [
          { TLS_KEY_FILE: cert },
          /- TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and the key/,
        ],
      ];
      await inTurns(wrong, async ([change, message]) => {
        const { code, stderr } = await run(['serve'], { cwd, env: { ...env, ...change } });
        expect(code).to.equal(78);
        expect(stderr)
          .to.match(message)
          .and.match(/^The settings cannot be used:\n[^\n]+\n$/);
      });
    });
  });
});

/** @param cert the only certificate that is trusted */
async function fetchTls(url: string, cert: string, headers: Record<string, string> = {}) {
  const request = get(url, {
    ca: readFileSync(cert),
    headers,
    agent: false,
    lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  return new Promise<{ status: number | undefined; cookie: string }>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      const [cookie = ''] = response.headers['set-cookie'] ?? [];
      text(response).then(() => resolve({ status: response.statusCode, cookie }), reject);
    });
  });
}
