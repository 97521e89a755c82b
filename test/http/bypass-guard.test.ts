import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import pino from 'pino';
import { createApp } from '../../app.ts';
import { createPassport } from '../../config/passport.ts';
import { loadSettings } from '../../config/settings.ts';
import { installBypass } from '../../config/strategies/bypass.ts';
import { SettingsError } from '../../core/errors.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { RawHeaders } from '../support/raw.ts';

/** A value, and whether the bypass may be on with it. */
type Choice<T> = readonly [value: T, good: boolean];

/** Every combination of one choice of each list. */
function combinations<T>(lists: readonly (readonly Choice<T>[])[]): Choice<T>[][] {
  return lists.reduce<Choice<T>[][]>(
    (all, list) => all.flatMap((chosen) => list.map((choice) => [...chosen, choice])),
    [[]],
  );
}

const LOOPBACK = ['127.0.0.1', '127.8.8.8', '::1', 'localhost'];

describe('security 2: the bypass exists only', () => {
  const SETTINGS: Record<string, readonly Choice<string>[]> = {
    NODE_ENV: [
      ['development', true],
      ['test', true],
      ['production', false],
      ['', false], // which is production
    ],
    BYPASS_AUTH: [
      ['true', true],
      ['false', false],
      ['', false],
    ],
    HOST: [
      ...LOOPBACK.map((host): Choice<string> => [host, true]),
      ...['0.0.0.0', '::', '192.168.0.1', 'login.example.org'].map((host): Choice<string> => [
        host,
        false,
      ]),
    ],
    PUBLIC_URL: [
      ['http://localhost:3000', true],
      ['http://127.0.0.1:3000', true],
      ['https://login.example.org', false],
    ],
    TRUST_PROXY: [
      ['', true],
      ['127.0.0.1', false],
    ],
    WORKERS: [
      ['1', true],
      ['2', false],
    ],
  };
  const directory = temporaryDirectory();
  after(() => directory[Symbol.dispose]());
  const secret = (letter: string) =>
    `${letter}0123456789abcdefghijklmnopqrstuvwxyz-${letter.repeat(3)}!#`;
  const secrets = { SESSION_SECRET: secret('S'), JWT_SECRET_KEY: secret('J') };

  /** Whether those settings switch it on; where they are refused, that may not be for another reason alone. */
  function isOn(environment: Record<string, string>): boolean {
    try {
      return loadSettings({ ...secrets, ...environment }, directory.path).bypass;
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      if (environment['BYPASS_AUTH'] === 'true')
        expect(error.problems.join('\n')).to.match(/^BYPASS_AUTH /m);
      return false;
    }
  }

  it('with settings of which each allows it, of all combinations', () => {
    const names = Object.keys(SETTINGS);
    let on = 0;
    for (const chosen of combinations(Object.values(SETTINGS))) {
      const environment = Object.fromEntries(
        chosen.map(([value], index) => [names[index] ?? '', value]),
      );
      const allowed = chosen.every(([, good]) => good);
      expect(isOn(environment), JSON.stringify(environment)).to.equal(allowed);
      if (allowed) on += 1;
    }
    expect(on).to.equal(2 * LOOPBACK.length * 2);
  });
});

describe('the guard of the bypass, over all combinations of peer, Host, forwarding headers and Fetch Metadata', () => {
  const HOSTS: readonly Choice<RawHeaders>[] = [
    [{ Host: 'localhost:3000' }, true],
    [{ Host: 'app.localhost' }, true],
    [{ Host: '[::1]:3000' }, true],
    [{ Host: 'login.example.org' }, false],
    [{ Host: 'localhost.example.org' }, false],
    [{ Host: '10.0.0.7:3000' }, false],
  ];
  const FORWARDING: readonly Choice<RawHeaders>[] = [
    [{}, true],
    [{ 'X-Forwarded-For': '127.0.0.1' }, false],
    [{ Forwarded: 'for=127.0.0.1' }, false],
    [{ Via: '1.1 proxy' }, false],
  ];
  const METADATA: readonly Choice<RawHeaders>[] = [
    [{}, true],
    [{ 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }, true],
    [{ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }, true],
    [{ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }, false],
    [{ 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' }, false],
    [{ Origin: 'https://evil.example' }, false],
  ];

  let app: TestApp;
  let server: Server;
  let port = 0;
  /** The guard as it is after a start: it remembers whether there was a sign of a proxy. */
  let restart: () => void;
  before(async () => {
    app = await startApp();
    await app.services.users.add({ username: 'ada' });
    const { passport: _, ...services } = app.services;
    const lifetime = app.services.settings.session;
    let answer = createApp(app.services);
    restart = () => {
      const passport = createPassport({ ...app.services, lifetime });
      const log = pino({ enabled: false });
      const bypass = installBypass(passport, { ...app.services, log, corsOrigins: [] });
      answer = createApp({ ...services, passport, bypass });
    };
    server = createServer((req, res) => answer(req, res)).listen(0, '::');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(async () => {
    server?.close();
    await app[Symbol.asyncDispose]();
  });

  /** Of `GET /auth/bypass?token=ada`, by the address that is asked, which is the peer's as well. */
  function ask(host: string, headers: RawHeaders): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { host, port, path: '/auth/bypass?token=ada', headers, agent: false },
        (response) => {
          response.resume();
          response.once('end', () => resolve(response.statusCode ?? 0));
        },
      );
      sent.once('error', reject);
      sent.end();
    });
  }

  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4');

  const peers: Choice<string>[] = [
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ...(own === undefined ? [] : [[own.address, false] as const]),
  ];
  for (const [peer, near] of peers) {
    it(`${near ? 'lets in' : 'never lets in'} a peer at ${near ? peer : 'an address that others can reach'}`, async () => {
      for (const choices of combinations([HOSTS, FORWARDING, METADATA])) {
        const headers = Object.assign({}, ...choices.map(([value]) => value)) as RawHeaders;
        const [host, forwarding, metadata] = choices.map(([, good]) => good);
        const said = `${peer} ${JSON.stringify(headers)}`;
        restart();
        const allowed = near && host === true && forwarding === true && metadata === true;
        expect(await ask(peer, headers), said).to.equal(allowed ? 200 : 404);
        const stillOn = host === true && forwarding === true; // the rest says nothing of a proxy
        expect(await ask('127.0.0.1', { Host: 'localhost' }), `after ${said}`).to.equal(
          stillOn ? 200 : 404,
        );
      }
    });
  }
});
