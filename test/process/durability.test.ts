import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

const LOGINS = 100;
const AT_ONCE = 8;

/** How many have been answered when the process is killed. */
const MOMENTS = [1, 41, 90];

describe('a service that is killed in the middle of a hundred logins', function () {
  this.timeout(120_000);

  it('still knows, started again, every session that it had answered for', async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    for (const moment of MOMENTS) {
      const bypass = (client: Client, n: number) =>
        client.get(`/auth/bypass?token=u${moment}.${n}`);
      const answered = await loginsUntilKilled(cwd, moment, bypass);
      await expectSessions(cwd, answered);
    }
  });

  it('does so for logins with a password too', async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    await run(['user', 'add', 'ada'], { cwd, stdin: PASSWORD });
    const login = (client: Client) => client.login('ada', PASSWORD);
    await expectSessions(cwd, await loginsUntilKilled(cwd, 23, login));
  });

  it('has revoked, started again, the tokens of every logout that it had answered', async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    const tokens = new Map<Client, string>();
    const logout = async (client: Client, n: number) => {
      await client.get(`/auth/bypass?token=u${n}`);
      tokens.set(client, await client.token());
      return client.post('/auth/logout');
    };
    const env = { PUBLIC_URL: 'http://localhost:3000' }; // the issuer, whatever port is free
    const answered = await loginsUntilKilled(cwd, 23, logout, env);
    await using service = await serve({ cwd, env });
    for (const client of answered) {
      const headers = { Authorization: `Bearer ${tokens.get(client) ?? ''}` };
      const response = await fetch(`${service.url}/auth/me`, { headers });
      expect([response.status, await response.text()].join()).to.match(/^401.*revoked/);
    }
  });
});

type Login = (client: Client, n: number) => Promise<Response>;

/** @returns the clients that had their answer when the process died */
async function loginsUntilKilled(
  cwd: string,
  moment: number,
  login: Login,
  env: Record<string, string> = {},
): Promise<Client[]> {
  await using service = await serve({ cwd, env });
  const answered: Client[] = [];
  let begun = 0;
  const caller = async () => {
    while (begun < LOGINS) {
      begun += 1;
      const client = new Client(service.url);
      const response = await login(client, begun);
      await response.text();
      if (!response.ok) throw new Error(`login answered ${response.status}`);
      answered.push(client);
      if (answered.length === moment) service.signal('SIGKILL');
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, caller));
  const { code } = await service.exited;
  expect(code, 'killed').to.be.null;
  expect(
    outcomes.some(({ status }) => status === 'rejected'),
    'in the middle',
  ).to.be.true;
  expect(answered.length).to.be.at.least(moment);
  return answered;
}

async function expectSessions(cwd: string, clients: readonly Client[]): Promise<void> {
  await using service = await serve({ cwd });
  const statuses = await Promise.all(
    clients.map(async ({ cookies }) => {
      const client = new Client(service.url);
      for (const [name, value] of cookies) client.cookies.set(name, value);
      return (await client.get('/auth/token')).status;
    }),
  );
  expect(statuses).to.deep.equal(clients.map(() => 200));
}
