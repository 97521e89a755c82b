import { expect } from 'chai';
import { createVerifier, UnavailableError, type Verifier, type VerifierOptions } from '#verify';
import { HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { goodClaims } from '../support/forge.ts';
import { pair, type Pair, signed } from './pairs.ts';
import { eventually, type Publisher, startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';

describe('published keys', () => {
  let service: Publisher;
  let clock: TestClock;
  let own: Pair;
  beforeEach(async () => {
    service = await startPublisher();
    clock = new TestClock();
    own = pair('k1');
    service.publish('/keys', { keys: [own.jwk] });
  });
  afterEach(() => service[Symbol.asyncDispose]());

  const verifier = (more: Partial<VerifierOptions> = {}): Verifier =>
    createVerifier({
      issuer,
      jwksUri: `${service.url}/keys`,
      now: () => clock.now(),
      cache: false,
      ...more,
    });
  const jwtOf = (by: Pair) =>
    signed(by, { ...goodClaims(issuer, Math.floor(clock.now() / SECOND)), exp: 1e10 });
  const visits = () => service.visits('/keys');

  it('are fetched when the first token comes, not before, and once for many at a time', async () => {
    const checks = verifier();
    expect(visits()).to.equal(0);
    const jwt = jwtOf(own);
    const reasons = await Promise.all(Array.from({ length: 20 }, () => reasonOf(checks, jwt)));
    expect(new Set(reasons)).to.deep.equal(new Set(['accepted']));
    expect(visits()).to.equal(1);
    expect(service.accepted()).to.include('application/jwk-set+json');
  });

  describe('are good without being asked for again', () => {
    const lives: [header: string | undefined, seconds: number][] = [
      [undefined, 600],
      ['public, max-age=300', 300],
      ['max-age=300, must-revalidate', 300],
      ['max-age=5', 60],
      ['max-age=0', 60],
      ['max-age=86400', 600],
      ['s-maxage=300', 600],
      ['no-cache', 600],
    ];
    for (const [header, seconds] of lives) {
      it(`for ${seconds} seconds with Cache-Control: ${header ?? '(none)'}`, async () => {
        service.publish(
          '/keys',
          { keys: [own.jwk] },
          header === undefined ? {} : { 'Cache-Control': header },
        );
        const checks = verifier();
        const jwt = jwtOf(own);
        await checks.verify(jwt);
        clock.advance(seconds * 0.8 * SECOND - 1);
        await checks.verify(jwt);
        expect(visits()).to.equal(1);

        service.publish('/keys', { keys: [] });
        clock.advance(1);
        expect(await reasonOf(checks, jwt), 'nobody waits for the refresh').to.equal('accepted');
        await eventually(async () => (await reasonOf(checks, jwt)) === 'unknown_key');
        expect(visits()).to.equal(2);
      });
    }
  });

  it('that are not fresh any more are confirmed before they are used', async () => {
    const checks = verifier();
    await checks.verify(jwtOf(own));
    clock.advance(10 * MINUTE);
    service.publish('/keys', { keys: [] });
    expect(await reasonOf(checks, jwtOf(own))).to.equal('unknown_key');
  });

  it('from a time that is yet to come, since the clock was set back, are confirmed', async () => {
    const checks = verifier();
    await checks.verify(jwtOf(own));
    clock.advance(-HOUR);
    service.publish('/keys', { keys: [] });
    expect(await reasonOf(checks, jwtOf(own))).to.equal('unknown_key');
  });

  it('that stay the same do not make tokens be verified again; a key that was exchanged does', async () => {
    const checks = verifier({ cache: { size: 10 } });
    const jwt = jwtOf(own);
    await checks.verify(jwt);
    const token = await checks.verify(jwt); // the same for all but the first
    clock.advance(10 * MINUTE);
    expect(await checks.verify(jwt)).to.equal(token);
    expect(visits()).to.equal(2);
    service.publish('/keys', { keys: [pair('k1').jwk] });
    clock.advance(10 * MINUTE);
    expect(await reasonOf(checks, jwt)).to.equal('bad_signature');
  });

  describe('with an id that is not among them', () => {
    it('are fetched anew: a key that has just been published is found', async () => {
      const checks = verifier();
      const next = pair('k2');
      await checks.verify(jwtOf(own));
      service.publish('/keys', { keys: [own.jwk, next.jwk] });
      clock.advance(30 * SECOND);
      expect(await reasonOf(checks, jwtOf(next))).to.equal('accepted');
      expect(visits()).to.equal(2);
    });

    it('are fetched once in 30 seconds, however many ids are made up', async () => {
      const checks = verifier();
      for (let round = 1; round <= 3; round += 1) {
        for (let turn = 0; turn < 10; turn += 1) {
          expect(await reasonOf(checks, jwtOf({ ...own, kid: `x${turn}` }))).to.equal(
            'unknown_key',
          );
        }
        expect(visits()).to.equal(round);
        clock.advance(30 * SECOND - 1);
        expect(await reasonOf(checks, jwtOf({ ...own, kid: 'x' }))).to.equal('unknown_key');
        expect(visits()).to.equal(round);
        clock.advance(1);
      }
    });

    it('and a service that cannot be asked: nobody can say, so it is 503 and not 401', async () => {
      const checks = verifier();
      const next = pair('k2');
      await checks.verify(jwtOf(own));
      clock.advance(30 * SECOND);
      service.fail(500);
      const error = await failureOf(checks.verify(jwtOf(next)));
      expect(error).to.be.instanceOf(UnavailableError);
      expect(error).to.include({ status: 503 });
      for (let turn = 0; turn < 10; turn += 1) {
        expect(await reasonOf(checks, jwtOf(next))).to.equal('unavailable');
        expect(await reasonOf(checks, jwtOf(own)), 'the one that is known').to.equal('accepted');
      }
      expect(visits()).to.equal(2);
      service.fail();
      clock.advance(30 * SECOND);
      expect(await reasonOf(checks, jwtOf(next))).to.equal('unknown_key');
    });
  });

  describe('of a service that is down', () => {
    it('cannot be had at first; it is asked again after 5 seconds', async () => {
      service.fail(503);
      const checks = verifier();
      for (let turn = 0; turn < 3; turn += 1) {
        expect(await reasonOf(checks, jwtOf(own))).to.equal('unavailable');
      }
      expect(visits()).to.equal(1);
      service.fail();
      clock.advance(5 * SECOND - 1);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('unavailable');
      clock.advance(1);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
    });

    it('stay good for an hour after they were last confirmed, and no longer', async () => {
      const checks = verifier();
      await checks.verify(jwtOf(own));
      service.fail(503);
      clock.advance(10 * MINUTE);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
      expect(visits()).to.equal(2);
      clock.advance(50 * MINUTE - 1);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
      clock.advance(1);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('unavailable');
      service.fail();
      clock.advance(5 * SECOND);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
    });

    it('are refused from the moment that it publishes others, whatever was remembered', async () => {
      const checks = verifier({ cache: { size: 10 } });
      const jwt = jwtOf(own);
      await checks.verify(jwt);
      clock.advance(10 * MINUTE);
      service.fail(503);
      expect(await reasonOf(checks, jwt)).to.equal('accepted');
      service.fail();
      service.publish('/keys', { keys: [pair('k2').jwk] });
      clock.advance(5 * SECOND);
      await eventually(async () => (await reasonOf(checks, jwt)) === 'unknown_key');
    });

    it('make nobody wait while it is known to be down', async function withoutWaiting() {
      this.timeout(2500); // half of what a look may take
      const checks = verifier();
      await checks.verify(jwtOf(own));
      clock.advance(10 * MINUTE);
      service.fail(503);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
      const silent = Promise.withResolvers<void>();
      service.fail();
      service.publish('/keys', () => silent.resolve()); // takes the request and never answers
      clock.advance(5 * SECOND);
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
      await silent.promise;
      expect(await reasonOf(checks, jwtOf(own))).to.equal('accepted');
    });
  });

  describe('are not taken from an answer', () => {
    const bad: [string, (to: Publisher) => void][] = [
      ['that is no JSON', (to) => to.publish('/keys', '<html>')],
      ['that is no key set', (to) => to.publish('/keys', {})],
      [
        'with another status',
        (to) => to.publish('/keys', (res) => res.writeHead(203).end('{"keys":[]}')),
      ],
      [
        'that leads elsewhere',
        (to) => {
          to.publish('/elsewhere', { keys: [own.jwk] });
          to.publish('/keys', (res) => res.writeHead(302, { Location: '/elsewhere' }).end());
        },
      ],
      [
        'of more than 512 KiB',
        (to) => to.publish('/keys', { keys: [own.jwk], x: 'x'.repeat(512 * 1024) }),
      ],
      [
        'that breaks off',
        (to) =>
          to.publish('/keys', (res) => {
            res.writeHead(200, { 'Content-Length': 100 }).write('{"keys"');
            res.destroy();
          }),
      ],
    ];
    for (const [what, publish] of bad) {
      it(`${what}: that is a service that is down`, async () => {
        publish(service);
        expect(await reasonOf(verifier(), jwtOf(own))).to.equal('unavailable');
        expect(service.visits('/elsewhere')).to.equal(0);
      });
    }
  });
});

describe('keys found through the metadata of the issuer (RFC 8414)', () => {
  const path = '/.well-known/oauth-authorization-server';
  const own = pair('k1');
  let service: Publisher;
  let clock: TestClock;
  beforeEach(async () => {
    service = await startPublisher();
    clock = new TestClock();
    service.publish('/jwks', { keys: [own.jwk] });
    service.publish(path, { issuer: service.url, jwks_uri: `${service.url}/jwks` });
  });
  afterEach(() => service[Symbol.asyncDispose]());

  const jwtOf = (iss: string) => signed(own, goodClaims(iss, Math.floor(clock.now() / SECOND)));
  const verifier = (more: Partial<VerifierOptions> = {}) =>
    createVerifier({ issuer: service.url, discovery: true, now: () => clock.now(), ...more });

  it('verify; the metadata are asked for once', async () => {
    const checks = verifier();
    expect(await reasonOf(checks, jwtOf(service.url))).to.equal('accepted');
    clock.advance(10 * MINUTE);
    expect(await reasonOf(checks, jwtOf(service.url))).to.equal('accepted');
    expect([service.visits(path), service.visits('/jwks')]).to.deep.equal([1, 2]);
  });

  it('verify when the service has another address than the issuer, with or without a slash', async () => {
    service.publish(path, { issuer, jwks_uri: `${service.url}/jwks` });
    for (const discovery of [service.url, `${service.url}/`]) {
      expect(await reasonOf(verifier({ issuer, discovery }), jwtOf(issuer))).to.equal('accepted');
    }
  });

  it('may move: after a failure the metadata are asked again', async () => {
    const checks = verifier();
    await checks.verify(jwtOf(service.url));
    service.publish('/moved', { keys: [own.jwk] });
    service.publish('/jwks', (res) => res.writeHead(404).end());
    service.publish(path, { issuer: service.url, jwks_uri: `${service.url}/moved` });
    clock.advance(2 * HOUR);
    expect(await reasonOf(checks, jwtOf(service.url))).to.equal('unavailable');
    clock.advance(5 * SECOND);
    expect(await reasonOf(checks, jwtOf(service.url))).to.equal('accepted');
  });

  it('are not used when the metadata are those of another issuer, or name no address that may be used', async () => {
    const url = service.url;
    for (const metadata of [
      { issuer: 'https://evil.example', jwks_uri: `${url}/jwks` },
      { issuer: `${url}/`, jwks_uri: `${url}/jwks` },
      { jwks_uri: `${url}/jwks` },
      { issuer: url },
      { issuer: url, jwks_uri: '/jwks' },
      { issuer: url, jwks_uri: 'http://keys.internal/jwks' },
      { issuer: url, jwks_uri: ['x'] },
      [],
    ]) {
      service.publish(path, metadata);
      const reason = await reasonOf(verifier(), jwtOf(url));
      expect(reason, JSON.stringify(metadata)).to.equal('unavailable');
    }
    expect(service.visits('/jwks')).to.equal(0);
  });
});
