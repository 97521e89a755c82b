import { expect } from 'chai';
import { doneByCommand } from '../support/audit.ts';
import { Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { sendBytes } from '../support/wire.ts';

describe('coatcheck session', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const session = (...args: string[]) => run(['session', ...args], { cwd });
  let service: Served;

  before(async () => {
    await run(['init'], { cwd });
    service = await serve({ cwd });
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function signedIn(name: string): Promise<Client> {
    const client = new Client(service.url);
    expect((await client.get(`/auth/bypass?token=${name}`)).status).to.equal(200);
    return client;
  }

  async function idOf(client: Client): Promise<string> {
    const [, claims = ''] = (await client.token()).split('.');
    const payload: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString());
    if (typeof payload === 'object' && payload !== null && 'sid' in payload)
      return String(payload.sid);
    throw new Error('a token without sid');
  }

  it('list shows those that are alive in columns, or as JSON, of all or of one user', async () => {
    await signedIn('lena');
    const other = await signedIn('otto');
    const all = await session('list');
    expect([all.code, all.stderr]).to.deep.equal([0, '']);
    expect(all.stdout).to.match(/^ID +USER +HOW +SIGNED IN +LAST SEEN +ENDS +ADDRESS +DEVICE\n/);
    expect(all.stdout)
      .to.match(/ lena +bypass +/)
      .and.match(/ otto +bypass +/);

    const { code, stdout } = await session('list', '--user', 'OTTO', '--json');
    expect(code).to.equal(0);
    const listed: unknown = JSON.parse(stdout);
    expect(listed).to.be.an('array').of.length(1);
    expect(listed).to.have.deep.nested.property('[0].id', await idOf(other));
    expect(listed).to.have.nested.property('[0].username', 'otto');
    expect(listed).to.have.nested.property('[0].address', '127.0.0.1');
  });

  it('revoke ends one session, and only once', async () => {
    const [gone, kept] = [await signedIn('rita'), await signedIn('rita')];
    const id = await idOf(gone);
    const first = await session('revoke', id);
    const second = await session('revoke', id);
    expect([first.code, first.stdout, first.stderr]).to.deep.equal([0, '', 'Ended the session.\n']);
    expect([second.code, second.stderr]).to.deep.equal([1, 'There is no session of that id.\n']);
    expect((await gone.get('/auth/token')).status).to.equal(401);
    expect((await kept.get('/auth/token')).status).to.equal(200);
    const done = (await doneByCommand(cwd)).filter(({ session: ended }) => ended === id);
    expect(done.map(({ event, subject }) => [event, subject?.name])).to.deep.equal([
      ['session.revoked', 'rita'],
    ]);
  });

  it('revoke --user ends all of one user and nobody else’s', async () => {
    const [one, two, other] = [
      await signedIn('uma'),
      await signedIn('uma'),
      await signedIn('vera'),
    ];
    const { code, stderr } = await session('revoke', '--user', 'Uma');
    expect([code, stderr]).to.deep.equal([0, 'Ended 2 sessions of uma.\n']);
    for (const client of [one, two]) expect((await client.get('/auth/token')).status).to.equal(401);
    expect((await other.get('/auth/token')).status).to.equal(200);
    const empty = await session('list', '--user', 'uma', '--json');
    expect(empty.stdout).to.equal('[]\n');
  });

  it('revoke --all ends everybody’s, and revokes their tokens', async () => {
    const clients = [await signedIn('alma'), await signedIn('alma'), await signedIn('zoe')];
    const tokens = await Promise.all(clients.map((client) => client.token()));
    const { code, stderr } = await session('revoke', '--all');
    expect(code).to.equal(0);
    expect(Number(/tokens of (\d+) sessions are revoked\.\n$/.exec(stderr)?.[1])).to.be.at.least(3);
    for (const client of clients) expect((await client.get('/auth/token')).status).to.equal(401);
    for (const token of tokens) {
      const Authorization = `Bearer ${token}`;
      const me = await new Client(service.url).get('/auth/me', { Authorization });
      expect(me.status).to.equal(401);
    }
    expect((await session('list', '--json')).stdout).to.equal('[]\n');
    const ended = (await doneByCommand(cwd)).map(({ event, subject, details }) => [
      event,
      subject?.name,
      details['scope'],
    ]);
    expect(ended).to.deep.include(['session.revoked', 'uma', 'all']);
    expect(ended.at(-1)).to.deep.equal(['session.revoked', undefined, 'everybody']);
  });

  it('refuses to be told two of an id, a user and all, and none of them', async () => {
    for (const args of [
      [],
      ['some-id', '--user', 'ada'],
      ['some-id', '--all'],
      ['--user', 'ada', '--all'],
    ]) {
      const { code, stdout, stderr } = await session('revoke', ...args);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.include('name either the id of a session');
    }
  });

  it('says that there is no such user', async () => {
    for (const command of ['list', 'revoke']) {
      const { code, stderr } = await session(command, '--user', 'nobody\u001b[2J');
      expect([code, stderr]).to.deep.equal([1, 'There is no user "nobody\uFFFD[2J".\n']);
    }
  });

  it('shows no escape sequence of a browser’s name raw, in the table and in JSON', async () => {
    // 0x9B is CSI in one byte, allowed in a header, and all that a terminal needs.
    const answer = await sendBytes(
      service.port,
      Buffer.from(
        'GET /auth/bypass?token=mallory HTTP/1.1\r\nHost: localhost\r\nUser-Agent: evil\u009b2Jdevice\u00ad\r\nConnection: close\r\n\r\n',
        'latin1',
      ),
    );
    expect(answer).to.match(/^HTTP\/1\.1 200 /);
    const table = await session('list', '--user', 'mallory');
    const json = await session('list', '--user', 'mallory', '--json');
    expect(table.stdout).to.include('evil\uFFFD2Jdevice');
    for (const { stdout } of [table, json]) expect(stdout).to.match(/^[\P{C}\n]+$/u);
    expect(JSON.parse(json.stdout)).to.have.nested.property(
      '[0].user_agent',
      'evil\u009b2Jdevice\u00ad',
    );
  });
});
