import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { z } from 'zod';
import { bodyOf, Client } from '../support/client.ts';
import { cleanEnvironment, ROOT, run } from '../support/command.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const credentials = z.object({ client_id: z.string(), client_secret: z.string() });

/** An API in a process of its own, with a clock to move. */
interface Api extends AsyncDisposable {
  /** The status that it answers a call with this token. */
  call(token: string): Promise<number>;
  advance(seconds: number): Promise<void>;
}

async function startApi(
  issuer: string,
  revocation: 'required' | 'when-reachable',
  env: Record<string, string> = {},
): Promise<Api> {
  const program = join(ROOT, 'test', 'support', 'api-process.ts');
  const child: ChildProcess = spawn(process.execPath, [program, issuer, revocation], {
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').once('data', (line: string) => resolve(line.trim()));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    async call(token) {
      const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      await response.text();
      return response.status;
    },
    async advance(seconds) {
      await fetch(`${url}/advance?seconds=${seconds}`, { method: 'POST' });
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

const { JWT_SECRET_KEY = '' } = parse(readFileSync(join(ROOT, '.env.test')));

for (const [JWT_ALGORITHM, revocation, secret] of [
  ['ES256', 'required', {}],
  ['RS256', 'when-reachable', {}],
  ['HS256', 'when-reachable', { JWT_SECRET_KEY }],
] as const) {
  describe(`a logout, with ${JWT_ALGORITHM}`, () => {
    let service: ServiceProcess;
    let api: Api;
    before(async () => {
      service = await startService({ JWT_ALGORITHM });
      api = await startApi(service.url, revocation, secret);
    });
    after(async () => {
      await api[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
    });

    const coatcheck = (args: string[], stdin = '') =>
      run(args, { cwd: ROOT, env: { ...service.environment }, stdin });

    async function signedIn(username: string): Promise<{ client: Client; token: string }> {
      const client = new Client(service.url);
      await client.get(`/auth/bypass?token=${username}`);
      return { client, token: await client.token() };
    }

    it('reaches an API in another process when the list that it has is a minute old', async () => {
      const { client, token } = await signedIn('ada');
      const other = await signedIn('grace');
      expect(await api.call(token)).to.equal(200);
      expect((await client.post('/auth/logout')).status).to.equal(204);
      await api.advance(61);
      expect(await api.call(token)).to.equal(401);
      expect(await api.call(other.token)).to.equal(200);
    });

    it('shows in introspection at once', async () => {
      const added = await coatcheck(['client', 'add', 'orders', '--json']);
      const { client_id, client_secret } = credentials.parse(JSON.parse(added.stdout));
      const basic = Buffer.from(`${client_id}:${client_secret}`).toString('base64');
      const { client, token } = await signedIn('ada');
      const introspect = async () =>
        bodyOf(
          await fetch(`${service.url}/oauth/introspect`, {
            method: 'POST',
            headers: { Authorization: `Basic ${basic}` },
            body: new URLSearchParams({ token }),
          }),
        );
      expect(await introspect()).to.include({ active: true, username: 'ada' });
      await client.post('/auth/logout');
      expect(await introspect()).to.deep.equal({ active: false });
    });

    it('is what a disabled user and other roles come to as well, by commands in a third process', async () => {
      const [ada, grace] = [await signedIn('ada'), await signedIn('grace')];
      for (const { token } of [ada, grace]) expect(await api.call(token)).to.equal(200);
      expect((await coatcheck(['user', 'disable', 'ada'])).code).to.equal(0);
      expect((await coatcheck(['user', 'roles', 'grace', '--add', 'admin'])).code).to.equal(0);
      await api.advance(61);
      for (const { token } of [ada, grace]) expect(await api.call(token)).to.equal(401);
      expect((await ada.client.get('/auth/token')).status).to.equal(401);
      const next = await grace.client.token();
      expect(await api.call(next)).to.equal(200);
    });
  });
}

describe('a service that is away', () => {
  for (const [revocation, status] of [
    ['required', 503],
    ['when-reachable', 200],
  ] as const) {
    it(`makes an API answer ${status} with revocation "${revocation}", and never 401`, async () => {
      const service = await startService({ JWT_ALGORITHM: 'ES256' });
      await using api = await startApi(service.url, revocation);
      const client = new Client(service.url);
      await client.get('/auth/bypass?token=ada');
      const token = await client.token();
      expect(await api.call(token)).to.equal(200);
      await service[Symbol.asyncDispose]();
      await api.advance(61);
      expect(await api.call(token)).to.equal(status);
      await api.advance(3600);
      expect(await api.call(token)).to.equal(503); // the keys are too old as well
    });
  }
});
