import { expect } from 'chai';
import fc from 'fast-check';
import { answerOf, expectSound } from '../support/answer.ts';
import { Client } from '../support/client.ts';
import { CANARY, expectUnharmed, holds, patient } from '../support/fuzz.ts';
import { BODIES, type Body, bytesOf, doubledJson, spoiltBody } from '../support/junk.ts';
import { ROUTES } from '../support/routes.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const accepts = fc.constantFrom(undefined, 'text/html', 'application/json', '*/*');
const REFUSED = [400, 413, 415];

describe('Any body at all', function () {
  this.timeout(patient(60_000));
  let service: ServiceProcess;
  let ada: Client;
  let stored: () => object;
  before(async () => {
    service = await startService();
    ada = new Client(service.url);
    const { status } = await ada.post('/auth/register', {
      username: 'ada',
      password: 'a gull stole it',
    });
    expect(status).to.equal(201);
    // once a minute a session moves on, since it is in use
    const sessions = () =>
      service.rows('sessions').map(({ last_seen_at, idle_expires_at, ...rest }) => rest);
    stored = () => ({ users: service.rows('users'), sessions: sessions() });
  });
  after(() => service[Symbol.asyncDispose]());
  afterEach(() => expectUnharmed(service));

  async function send(path: string, body: Body, accept?: string, cookies?: Client) {
    const headers = {
      'Content-Type': body.type,
      ...(accept === undefined ? {} : { Accept: accept }),
    };
    const caller = cookies?.clone() ?? new Client(service.url);
    const response = await caller.request('POST', path, headers, bytesOf(body));
    const answer = await answerOf(response);
    expectSound(answer, { path, accept });
    expect(answer.body).to.not.include(CANARY.slice(0, 30));
    return answer;
  }

  for (const wanted of BODIES) {
    it(`is refused by ${wanted.path} when it is not what the route wants, and nothing is stored`, async () => {
      const before = stored();
      await holds(fc.tuple(spoiltBody(wanted), accepts), 170, async ([body, accept]) => {
        const { status, headers } = await send(wanted.path, body, accept, ada);
        expect(status).to.be.oneOf(REFUSED);
        expect(headers.getSetCookie()).to.deep.equal([]);
      });
      expect(stored()).to.deep.equal(before);
    });

    it(`is refused by ${wanted.path} when a field is in it twice, however that is spelt`, async () => {
      const before = stored();
      const charsets = fc.constantFrom('', '; charset=utf-8', '; charset=UTF-8');
      await holds(fc.tuple(doubledJson(wanted), charsets), 40, async ([json, charset]) => {
        const body = { type: `application/json${charset}`, text: json };
        expect((await send(wanted.path, body, undefined, ada)).status).to.equal(400);
      });
      await holds(doubledJson(wanted), 10, async (json) => {
        const body = {
          type: 'application/json; charset=utf-16',
          text: json,
          as: 'utf16le',
        } as const;
        expect((await send(wanted.path, body, undefined, ada)).status).to.be.oneOf([400, 415]);
      });
      expect(stored()).to.deep.equal(before);
    });
  }

  it('makes no route that takes none do anything but answer', async () => {
    const before = stored();
    const routes = ROUTES.filter(({ path }) => BODIES.every((wanted) => wanted.path !== path));
    const [any = { path: '', required: [] }] = BODIES;
    const inputs = fc.tuple(fc.constantFrom(...routes), spoiltBody(any), accepts);
    await holds(inputs, 150, async ([{ path, methods }, body, accept]) => {
      const { status } = await send(path, body, accept);
      const others = path.startsWith('/oauth/') ? [401] : [405];
      const expected = path === '/auth/logout' ? [204, 303, ...REFUSED] : others;
      expect(status, methods.join()).to.be.oneOf(expected);
    });
    expect(stored()).to.deep.equal(before);
  });

  it('leaves no more memory in use when the same storm comes again', async () => {
    const storm = async () => {
      const megabyte = '{"username":"'.padEnd(1_048_576, 'x');
      for (let round = 0; round < 15; round += 1) {
        const type = round % 2 === 0 ? 'application/json' : 'application/x-www-form-urlencoded';
        await Promise.all(
          BODIES.map(({ path }) => send(path, { type, text: megabyte }, undefined)),
        );
      }
      return service.memory();
    };
    await storm();
    const plateau = await storm();
    expect((await storm()) - plateau).to.be.below(64 * 2 ** 20);
    expect(plateau).to.be.below(512 * 2 ** 20);
  });
});
