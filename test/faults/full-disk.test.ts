import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type SmallDisk, smallDisk } from '../support/small-disk.ts';

describe('a service whose disk is full', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const home = temporaryDirectory();
  let disk: SmallDisk | undefined;
  let service: Served;
  before(async function () {
    disk = smallDisk(directory.path, '4m');
    if (disk === undefined) this.skip(); // only root may mount a small disk
    const env = {
      DATABASE_URL: `sqlite:${directory.path}/full.db`,
      // that a session is in use is noted every four seconds: exchanges write too
      SESSION_IDLE_TIMEOUT: '40s',
      JWT_EXPIRES_IN: '30s',
      KEY_ROTATION_INTERVAL: '90d',
    };
    await run(['init'], { cwd: home.path });
    await run(['user', 'add', 'grace'], { cwd: home.path, env, stdin: PASSWORD });
    service = await serve({ cwd: home.path, env });
  });
  after(async () => {
    await service?.[Symbol.asyncDispose]();
    disk?.[Symbol.dispose]();
    directory[Symbol.dispose]();
    home[Symbol.dispose]();
  });
  afterEach(() => disk?.empty());

  const login = () => new Client(service.url).login('grace', PASSWORD);
  const exchange = async (client: Client) => (await client.get('/auth/token')).status;

  async function signIn(): Promise<Client> {
    const client = new Client(service.url);
    expect((await client.login('grace', PASSWORD)).status).to.equal(200);
    return client;
  }

  async function me(token: string): Promise<number> {
    const headers = { Authorization: `Bearer ${token}` };
    return (await new Client(service.url).get('/auth/me', headers)).status;
  }

  async function expectNoRoom(response: Response): Promise<void> {
    expect(response.status).to.equal(503);
    expect(response.headers.get('retry-after')).to.match(/^\d+$/);
    expect(response.headers.getSetCookie()).to.deep.equal([]);
    expect(await bodyOf(response)).to.include({ code: 'unavailable' });
  }

  /** How often a session could not be noted as in use. */
  const unnoted = () =>
    logLines(service.output().stdout.replace(/[^\n]*$/, '')).filter(
      ({ msg }) => msg === 'could not note that a session is in use',
    ).length;

  it('lets nobody in and says when to come back; when there is room it does, without a restart', async () => {
    disk?.fill();
    await expectNoRoom(await login());
    await expectNoRoom(await new Client(service.url).get('/auth/bypass?token=grace'));
    await expectNoRoom(await new Client(service.url).get('/auth/bypass?token=new'));
    await service.said(/the disk is full: make room on it/);
    disk?.empty();
    expect((await login()).status).to.equal(200);
  });

  it('serves who is signed in, also when it cannot note that they are there', async () => {
    const grace = await signIn();
    disk?.fill();
    const before_ = unnoted();
    await service.until(async () => {
      expect(await exchange(grace)).to.equal(200);
      return unnoted() > before_;
    });
    disk?.empty();
    expect(await exchange(grace)).to.equal(200);
  });

  it('does not say that a session has ended when it could not end it, and ends it when there is room', async () => {
    const grace = await signIn();
    const token = await grace.token();
    disk?.fill();
    await expectNoRoom(await grace.clone().post('/auth/logout'));
    await expectNoRoom(await grace.clone().request('DELETE', '/auth/sessions?scope=all'));
    expect([await exchange(grace), await me(token)], 'not half ended').to.deep.equal([200, 200]);
    disk?.empty();
    expect((await grace.clone().post('/auth/logout')).status).to.equal(204);
    expect([await exchange(grace), await me(token)]).to.deep.equal([401, 401]);
  });

  it('changes a password whole or not at all', async () => {
    const [here, there] = [await signIn(), await signIn()];
    const body = { current_password: PASSWORD, new_password: 'another gull, another umbrella' };
    disk?.fill();
    await expectNoRoom(await here.post('/auth/password', body));
    disk?.empty();
    expect([await exchange(here), await exchange(there)]).to.deep.equal([200, 200]);
    expect((await login()).status, 'the password of before').to.equal(200);
  });
});
