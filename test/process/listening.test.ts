import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { inTurns, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { fetchTls, makeCertificate } from '../support/tls.ts';

describe('where the service listens', function () {
  this.timeout(120_000);
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
      if (!makeCertificate(cert, key)) this.skip(); // no openssl here to make one with
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

    it('shows a new certificate once both files are there, and until then the old one', async () => {
      const [liveCert, liveKey] = [join(cwd, 'live.pem'), join(cwd, 'live-key.pem')];
      const [nextCert, nextKey] = [join(cwd, 'next.pem'), join(cwd, 'next-key.pem')];
      copyFileSync(cert, liveCert);
      copyFileSync(key, liveKey);
      expect(makeCertificate(nextCert, nextKey)).to.equal(true);
      const files = { TLS_CERT_FILE: liveCert, TLS_KEY_FILE: liveKey };
      await using service = await serve({ cwd, env: files });
      const health = `https://localhost:${service.port}/healthz`;
      const isShown = (trusted: string) =>
        fetchTls(health, trusted).then(
          ({ status }) => status === 200,
          () => false,
        );
      renameSync(nextCert, liveCert); // as certbot and Kubernetes do: another file by the same name
      await service.until(() =>
        service.output().stdout.includes('the certificate stays as it was'),
      );
      expect(await isShown(cert), 'the key is still that of the old one').to.equal(true);
      renameSync(nextKey, liveKey);
      await service.until(() => isShown(liveCert));
      expect(await isShown(cert)).to.equal(false);
      rmSync(liveKey);
      await service.until(() => service.output().stdout.includes('TLS_KEY_FILE cannot be read'));
      expect(await isShown(liveCert), 'without a key').to.equal(true);
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
