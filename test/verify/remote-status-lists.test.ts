import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { createVerifier, type Verifier, type VerifierOptions } from '#verify';
import { HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { goodClaims } from '../support/forge.ts';
import { pair, signed } from './pairs.ts';
import { eventually, type Publisher, startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';
const own = pair('k1');
const stranger = pair('k1');

describe('a status list that is published', () => {
  let service: Publisher;
  let clock: TestClock;
  let uri: string;
  beforeEach(async () => {
    service = await startPublisher();
    clock = new TestClock();
    clock.advance(-(clock.now() % SECOND));
    uri = `${service.url}/list`;
    publish();
  });
  afterEach(() => service[Symbol.asyncDispose]());

  const seconds = () => Math.floor(clock.now() / SECOND);
  const visits = (path = '/list') => service.visits(path);
  const claim = (...revoked: number[]) => {
    const bytes = Buffer.alloc(2);
    for (const index of revoked) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index % 8));
    return { bits: 1, lst: deflateSync(bytes).toString('base64url') };
  };
  const list = (more: object = {}, header: object = {}, by = own) =>
    signed(
      by,
      { sub: uri, iat: seconds(), ttl: 60, status_list: claim(), ...more },
      { typ: 'statuslist+jwt', ...header },
    );
  function publish(more: object = {}, header: object = {}, by = own) {
    service.publish('/list', list(more, header, by));
  }
  const revoke = (...revoked: number[]) => publish({ status_list: claim(...revoked) });

  const verifier = (more: Partial<VerifierOptions> = {}): Verifier =>
    createVerifier({
      issuer,
      keys: [own.trusted],
      revocation: 'required',
      now: () => clock.now(),
      ...more,
    });
  const withStatus = (status: unknown) =>
    signed(own, { ...goodClaims(issuer, seconds()), exp: seconds() + 10 * 86_400, status });
  const jwtOf = (idx: number, at = uri) => withStatus({ status_list: { idx, uri: at } });

  for (const revocation of ['required', 'when-reachable'] as const) {
    describe(`and ${revocation}`, () => {
      it('lets tokens through that it does not list as revoked', async () => {
        revoke(3, 15);
        const checks = verifier({ revocation });
        for (let index = 0; index < 16; index += 1) {
          const expected = [3, 15].includes(index) ? 'revoked' : 'accepted';
          expect(await reasonOf(checks, jwtOf(index)), String(index)).to.equal(expected);
        }
        expect(visits()).to.equal(1);
        expect(service.accepted()).to.equal('application/statuslist+jwt');
      });

      it('refuses every status but "valid"', async () => {
        const lst = deflateSync(Buffer.of(0b11_10_01_00)).toString('base64url');
        publish({ status_list: { bits: 2, lst } });
        const checks = verifier({ revocation });
        const reasons = [];
        for (const index of [0, 1, 2, 3]) reasons.push(await reasonOf(checks, jwtOf(index)));
        expect(reasons).to.deep.equal(['accepted', 'revoked', 'revoked', 'revoked']);
      });

      it('reaches a token that was seen before, when the time of the list is up', async () => {
        const checks = verifier({ revocation });
        const jwt = jwtOf(3);
        expect(await reasonOf(checks, jwt)).to.equal('accepted');
        revoke(3);
        clock.advance(47_999);
        expect(await reasonOf(checks, jwt)).to.equal('accepted');
        expect(visits()).to.equal(1);
        clock.advance(12_001);
        expect(await reasonOf(checks, jwt)).to.equal('revoked');
        expect(visits()).to.equal(2);
      });

      it('is looked at anew before its time is up, and nobody waits for that', async () => {
        const checks = verifier({ revocation });
        const jwt = jwtOf(3);
        await checks.verify(jwt);
        revoke(3);
        clock.advance(48_000);
        const asked = checks.verify(jwt);
        expect(visits(), 'answered before the list was asked for').to.equal(1);
        await asked;
        await eventually(async () => (await reasonOf(checks, jwt)) === 'revoked');
        expect(visits()).to.equal(2);
      });

      it('is asked for once by many at a time', async () => {
        const checks = verifier({ revocation });
        await Promise.all(Array.from({ length: 20 }, (_, turn) => checks.verify(jwtOf(turn % 16))));
        expect(visits()).to.equal(1);
      });

      it('counts from when it was issued, not from when a cache gave it away', async () => {
        publish({ iat: seconds() - 50 });
        const checks = verifier({ revocation });
        await checks.verify(jwtOf(3));
        revoke(3);
        clock.advance(9999);
        await checks.verify(jwtOf(4));
        clock.advance(1);
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
      });

      it('from the future counts from now', async () => {
        publish({ iat: seconds() + 3600 });
        const checks = verifier({ revocation });
        await checks.verify(jwtOf(3));
        clock.advance(60_000);
        publish({ iat: seconds() + 7200, status_list: claim(3) });
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
      });

      it('is good for a minute when it does not say', async () => {
        publish({ ttl: undefined });
        const checks = verifier({ revocation });
        await checks.verify(jwtOf(3));
        revoke(3);
        clock.advance(47_999);
        expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
        expect(visits()).to.equal(1);
        clock.advance(12_001);
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
      });

      it('is not asked for more often than every 5 seconds, however short or past its time is', async () => {
        for (const more of [{ ttl: 1 }, { iat: seconds() - 3600 }, { ttl: 0.001 }]) {
          publish(more);
          const before = visits();
          const checks = verifier({ revocation });
          for (let turn = 0; turn < 5; turn += 1) {
            expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
            clock.advance(999);
          }
          expect(visits() - before).to.equal(1);
          clock.advance(5);
          expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
          expect(visits() - before).to.equal(2);
          clock.advance(-5000);
        }
      });

      it('that is older than the one known does not bring a revoked token back', async () => {
        const old = list();
        clock.advance(10 * SECOND);
        revoke(3);
        const checks = verifier({ revocation });
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
        service.publish('/list', old);
        clock.advance(MINUTE);
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
        expect(visits()).to.equal(2);
      });

      it('from the future does not keep later ones out', async () => {
        publish({ iat: seconds() + 86_400, exp: seconds() + 90_000 });
        const checks = verifier({ revocation });
        expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
        clock.advance(MINUTE);
        revoke(3);
        await eventually(async () => (await reasonOf(checks, jwtOf(3))) === 'revoked');
      });

      const refused: [string, () => void][] = [
        ['of another type', () => publish({}, { typ: 'JWT' })],
        ['without a type', () => publish({}, { typ: undefined })],
        ['that speaks of another address', () => publish({ sub: `${uri}/` })],
        ['that speaks of no address', () => publish({ sub: undefined })],
        ['of another issuer', () => publish({ iss: 'https://evil.example' })],
        ['without a time of issue', () => publish({ iat: undefined })],
        ['with a time of issue that is none', () => publish({ iat: '1' })],
        ['with an expiry that is none', () => publish({ exp: '9999999999' })],
        ['with a time to live of 0', () => publish({ ttl: 0 })],
        ['with a negative time to live', () => publish({ ttl: -1 })],
        ['with a time to live that is none', () => publish({ ttl: '60' })],
        ['that somebody else signed', () => publish({}, {}, stranger)],
        ['with rules of its own', () => publish({}, { crit: ['exp'] })],
        ['with a key of its own', () => publish({}, { jwk: stranger.jwk }, stranger)],
        ['without a signature', () => publish({}, { alg: 'none' })],
        ['without a list in it', () => publish({ status_list: undefined })],
        ['with a damaged list in it', () => publish({ status_list: { bits: 1, lst: 'AAAA' } })],
        ['that is no JWS', () => service.publish('/list', '{"bits":1}')],
        ['that is empty', () => service.publish('/list', '')],
        ['with a line break after it', () => service.publish('/list', `${list()}\n`)],
        ['that is a token', () => service.publish('/list', jwtOf(0))],
      ];
      for (const [what, publishIt] of refused) {
        it(`${what} is none, and its tokens are refused`, async () => {
          publishIt();
          const checks = verifier({ revocation });
          expect(await reasonOf(checks, jwtOf(3))).to.equal('status_refused');
          expect(await reasonOf(checks, jwtOf(3)), 'again').to.equal('status_refused');
          expect(visits()).to.equal(1);
          publish();
          clock.advance(5 * SECOND);
          // who may go on without a list is answered by the last look while the next one is under way
          await eventually(async () => (await reasonOf(checks, jwtOf(3))) === 'accepted');
        });
      }

      it('that has expired says nothing about a token: it cannot be had', async () => {
        publish({ exp: seconds() - 5 });
        const checks = verifier({ revocation });
        const answer = revocation === 'required' ? 'unavailable' : 'accepted';
        expect(await reasonOf(checks, jwtOf(3))).to.equal(answer);
        publish();
        clock.advance(5 * SECOND);
        await eventually(async () => (await reasonOf(checks, jwtOf(3))) === 'accepted');
        clock.advance(MINUTE);
        publish({ exp: seconds() - 5 });
        await reasonOf(checks, jwtOf(3));
        expect(await reasonOf(checks, jwtOf(3))).to.equal(answer);
      });

      it('may say who issued it and when it ends', async () => {
        publish({ iss: issuer, exp: seconds() + 30 });
        const checks = verifier({ revocation });
        expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
        revoke(3);
        clock.advance(35 * SECOND);
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
      });

      it('has no entry past its end', async () => {
        const checks = verifier({ revocation });
        for (const index of [16, 1000, 2 ** 40]) {
          expect(await reasonOf(checks, jwtOf(index))).to.equal('status_refused');
        }
      });

      it('is not looked for where a token refers to nothing', async () => {
        const checks = verifier({ revocation });
        for (const reference of [
          null,
          1,
          'x',
          [],
          {},
          { idx: 1 },
          { uri },
          { idx: '1', uri },
          { idx: -1, uri },
          { idx: 1.5, uri },
          { idx: 2 ** 60, uri },
          { idx: 1, uri: [uri] },
        ]) {
          const jwt = withStatus({ status_list: reference });
          expect(await reasonOf(checks, jwt), JSON.stringify(reference)).to.equal('status_refused');
        }
        for (const status of [null, 1, 'x', [], true]) {
          expect(await reasonOf(checks, withStatus(status))).to.equal('status_refused');
        }
        expect(visits()).to.equal(0);
      });

      it('is not looked for at addresses over plain http, unless that is allowed', async () => {
        const asked: string[] = [];
        const fetch: typeof globalThis.fetch = async (input) => {
          asked.push(input as string);
          return new Response('', { status: 404 });
        };
        const addresses = [
          'http://lists.internal/1',
          'file:///etc/passwd',
          'data:text/plain,x',
          'ftp://lists.example.org',
          '/list',
          '',
          'https://user:pass@lists.example.org/1',
          `http://127.0.0.1@lists.internal/`,
        ];
        const checks = verifier({ revocation, fetch });
        for (const at of addresses) {
          expect(await reasonOf(checks, jwtOf(1, at)), at).to.equal('status_refused');
        }
        expect(asked).to.deep.equal([]);
        await reasonOf(verifier({ revocation, fetch, allowHttp: true }), jwtOf(1, addresses[0]));
        await reasonOf(checks, jwtOf(1, 'https://lists.example.org/1'));
        expect(asked).to.deep.equal(['http://lists.internal/1', 'https://lists.example.org/1']);
      });

      it('is kept with 63 others', async () => {
        const checks = verifier({ revocation });
        const look = async (number: number) => {
          const [path, at] = [`/lists/${number}`, `${service.url}/lists/${number}`];
          service.publish(path, list({ sub: at }));
          expect(await reasonOf(checks, jwtOf(1, at))).to.equal('accepted');
          return visits(path);
        };
        for (let number = 0; number < 64; number += 1) expect(await look(number)).to.equal(1);
        expect(await look(0)).to.equal(1);
        expect(await look(64)).to.equal(1);
        expect(await look(0), 'asked for lately').to.equal(1);
        expect(await look(1), 'not asked for for the longest time').to.equal(2);
      });
    });
  }

  describe('and cannot be had', () => {
    const outages: [string, () => void][] = [
      ['because the service fails', () => service.fail(500)],
      ['because it is gone', () => service.fail(404)],
      [
        'because it has moved',
        () => service.publish('/list', (res) => res.writeHead(302, { Location: '/other' }).end()),
      ],
      [
        'because it has more than 2 MiB',
        () => service.publish('/list', 'x'.repeat(2 * 1024 * 1024 + 1)),
      ],
      ['because the connection breaks', () => service.publish('/list', (res) => res.destroy())],
    ];
    for (const [why, break_] of outages) {
      it(`${why}: 503 where it is required, the token alone counts where it is not`, async () => {
        break_();
        expect(await reasonOf(verifier(), jwtOf(3))).to.equal('unavailable');
        expect(await reasonOf(verifier({ revocation: 'when-reachable' }), jwtOf(3))).to.equal(
          'accepted',
        );
        expect(await reasonOf(verifier({ revocation: 'off' }), jwtOf(3))).to.equal('accepted');
        expect(await reasonOf(createVerifier({ issuer, keys: [own.trusted] }), jwtOf(3))).to.equal(
          'accepted',
        );
      });
    }

    it('a list of two megabytes can still be had', async () => {
      const bytes = Buffer.from(
        Array.from({ length: 1_100_000 }, (_, at) => (at * 7919) >> (at % 11)),
      );
      bytes[0] = 0b10;
      publish({
        status_list: { bits: 1, lst: deflateSync(bytes, { level: 0 }).toString('base64url') },
      });
      const checks = verifier();
      expect(await reasonOf(checks, jwtOf(0))).to.equal('accepted');
      expect(await reasonOf(checks, jwtOf(1))).to.equal('revoked');
    });

    it('is asked for again after 5 seconds', async () => {
      service.fail(500);
      const checks = verifier();
      for (let turn = 0; turn < 3; turn += 1) {
        expect(await reasonOf(checks, jwtOf(3))).to.equal('unavailable');
      }
      service.fail();
      clock.advance(4999);
      expect(await reasonOf(checks, jwtOf(3))).to.equal('unavailable');
      expect(visits()).to.equal(1);
      clock.advance(1);
      expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
    });

    it('the last one known decides as long as it is fresh, and after that where it is not required', async () => {
      revoke(3);
      const [required, lenient] = [verifier(), verifier({ revocation: 'when-reachable' })];
      for (const checks of [required, lenient]) {
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
        expect(await reasonOf(checks, jwtOf(4))).to.equal('accepted');
      }
      service.fail(500);
      clock.advance(59_999);
      for (const checks of [required, lenient]) {
        expect(await reasonOf(checks, jwtOf(3))).to.equal('revoked');
        expect(await reasonOf(checks, jwtOf(4))).to.equal('accepted');
      }
      clock.advance(24 * HOUR);
      expect(await reasonOf(required, jwtOf(4))).to.equal('unavailable');
      expect(await reasonOf(lenient, jwtOf(4))).to.equal('accepted');
      expect(await reasonOf(lenient, jwtOf(3))).to.equal('revoked');
    });

    it('makes nobody wait who can go on without it, but is looked for in the background', async function withoutWaiting() {
      this.timeout(2500); // half of what a look may take
      service.fail(500);
      const checks = verifier({ revocation: 'when-reachable' });
      expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
      service.fail();
      const asked = Promise.withResolvers<void>();
      service.publish('/list', () => asked.resolve()); // takes the request and never answers
      clock.advance(5 * SECOND);
      expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
      await asked.promise;
      expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
    });

    it('because the keys that signed it cannot be had: that is no refusal', async () => {
      let down = false;
      const fetch: typeof globalThis.fetch = (input, init) =>
        down && (input as string).endsWith('/keys')
          ? Promise.reject(new Error('down'))
          : globalThis.fetch(input, init);
      service.publish('/keys', { keys: [own.jwk] });
      const checks = createVerifier({
        issuer,
        jwksUri: `${service.url}/keys`,
        revocation: 'required',
        now: () => clock.now(),
        fetch,
      });
      publish();
      expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
      publish({}, { kid: 'k2' });
      down = true;
      clock.advance(61 * SECOND);
      expect(await reasonOf(checks, jwtOf(3))).to.equal('unavailable');
    });

    it('because it is signed with a key that is not known here, as when the service changes its algorithm', async () => {
      for (const [revocation, good] of [
        ['required', 'unavailable'],
        ['when-reachable', 'accepted'],
      ] as const) {
        revoke(4);
        const checks = verifier({ revocation });
        expect(await reasonOf(checks, jwtOf(3))).to.equal('accepted');
        publish({}, { kid: 'k2' });
        clock.advance(61 * SECOND);
        expect(await reasonOf(checks, jwtOf(3)), revocation).to.equal(good);
        const bad = revocation === 'required' ? 'unavailable' : 'revoked';
        expect(await reasonOf(checks, jwtOf(4)), revocation).to.equal(bad);
      }
    });

    it('because something else is at its address, such as a page that says so', async () => {
      service.publish('/list', '<h1>Back soon</h1>', { 'Content-Type': 'text/html' });
      expect(await reasonOf(verifier({ revocation: 'required' }), jwtOf(3))).to.equal(
        'unavailable',
      );
      expect(await reasonOf(verifier({ revocation: 'when-reachable' }), jwtOf(3))).to.equal(
        'accepted',
      );
    });
  });

  it('that is required is demanded of every token', async () => {
    for (const status of [undefined, {}, { other: 1 }]) {
      expect(await reasonOf(verifier(), withStatus(status))).to.equal('claim_missing');
      const lenient = verifier({ revocation: 'when-reachable' });
      expect(await reasonOf(lenient, withStatus(status))).to.equal('accepted');
    }
  });

  it('is not asked for where revocation is off', async () => {
    revoke(3);
    expect(await reasonOf(verifier({ revocation: 'off' }), jwtOf(3))).to.equal('accepted');
    expect(visits()).to.equal(0);
  });
});
