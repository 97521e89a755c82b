import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  createVerifier,
  type KeySource,
  TokenError,
  type Token,
  type TrustedKey,
  UnavailableError,
  type Verifier,
  type VerifierOptions,
} from '#verify';
import { LruCache } from '../../packages/verify/cache.ts';
import { SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { forge, goodClaims, trustedKey } from '../support/forge.ts';
import { reasonOf } from './reason.ts';

const ISSUER = 'https://login.example.org';
const secret = randomBytes(64).toString('hex');
const header = { alg: 'HS256', typ: 'JWT', kid: 'k1' };

describe('the memory of a verifier', () => {
  let clock: TestClock;
  beforeEach(() => {
    clock = new TestClock();
    clock.advance(-(clock.now() % SECOND));
  });

  const jwtOf = (more: object = {}) =>
    forge(header, { ...goodClaims(ISSUER, clock.now() / SECOND), ...more }, secret);
  const verifier = (more: Partial<VerifierOptions> = {}) =>
    createVerifier({
      issuer: ISSUER,
      keys: [trustedKey(secret, 'k1')],
      now: () => clock.now(),
      ...more,
    });

  /** What whoever sends a token again is given: the first one has a copy of their own. */
  async function seenAgain(checks: Verifier, jwt: string): Promise<Token> {
    await checks.verify(jwt);
    return checks.verify(jwt);
  }

  it('gives the same claims for the same token, and others for another', async () => {
    const checks = verifier();
    const [one, other] = [jwtOf(), jwtOf({ sub: 'u2' })];
    const first = await seenAgain(checks, one);
    expect(await checks.verify(one)).to.equal(first);
    expect(await checks.verify(other)).to.include({ sub: 'u2' });
    expect(await checks.verify(one)).to.equal(first);
  });

  it('can be turned off', async () => {
    const checks = verifier({ cache: false });
    const jwt = jwtOf();
    expect(await checks.verify(jwt)).not.to.equal(await checks.verify(jwt));
  });

  it('does not grow: the token that was asked for least recently is forgotten', async () => {
    const checks = verifier({ cache: { size: 2 } });
    const [a, b, c] = [jwtOf(), jwtOf(), jwtOf()];
    const [first, second] = [await seenAgain(checks, a), await seenAgain(checks, b)];
    expect(await checks.verify(a)).to.equal(first);
    await checks.verify(c);
    expect(await checks.verify(a)).to.equal(first);
    expect(await checks.verify(b)).not.to.equal(second);
  });

  it('does not make an altered token good', async () => {
    const checks = verifier();
    const jwt = jwtOf();
    await checks.verify(jwt);
    for (let at = 0; at < jwt.length; at += 1) {
      const altered = jwt.slice(0, at) + (jwt[at] === 'A' ? 'Q' : 'A') + jwt.slice(at + 1);
      expect(await reasonOf(checks, altered)).not.to.equal('accepted');
    }
  });

  it('does not outlive the token', async () => {
    const checks = verifier();
    const jwt = jwtOf({ exp: clock.now() / SECOND + 10 });
    expect(await reasonOf(checks, jwt)).to.equal('accepted');
    clock.advance(14_999);
    expect(await reasonOf(checks, jwt)).to.equal('accepted');
    clock.advance(1);
    expect(await reasonOf(checks, jwt)).to.equal('expired');
    expect(await reasonOf(checks, jwt)).to.equal('expired');
  });

  it('forgets a token that has expired', async () => {
    const checks = verifier();
    const jwt = jwtOf({ exp: clock.now() / SECOND + 10 });
    const before = await checks.verify(jwt);
    clock.advance(60_000);
    expect(await reasonOf(checks, jwt)).to.equal('expired');
    clock.advance(-60_000);
    expect(await checks.verify(jwt)).not.to.equal(before);
  });

  it('knows that a token is not valid yet when the clock is set back', async () => {
    const checks = verifier();
    const jwt = jwtOf({ nbf: clock.now() / SECOND });
    expect(await reasonOf(checks, jwt)).to.equal('accepted');
    clock.advance(-6000);
    expect(await reasonOf(checks, jwt)).to.equal('not_yet_valid');
  });

  it('does not remember refusals', async () => {
    let revoked = true;
    const checks = verifier({ revocation: { isRevoked: () => revoked } });
    const [jwt, early] = [jwtOf(), jwtOf({ nbf: clock.now() / SECOND + 60 })];
    expect(await reasonOf(checks, jwt)).to.equal('revoked');
    expect(await reasonOf(checks, early)).to.equal('not_yet_valid');
    revoked = false;
    expect(await reasonOf(checks, jwt)).to.equal('accepted');
    expect(await reasonOf(checks, early)).to.equal('not_yet_valid');
    clock.advance(60_000);
    expect(await reasonOf(checks, early)).to.equal('accepted');
  });

  /** A source in which a test may change everything, answering at once and later. */
  const sources: [string, (keys: Map<string, TrustedKey>) => KeySource][] = [
    ['at once', (keys) => ({ find: (kid) => keys.get(kid) })],
    ['later', (keys) => ({ find: async (kid) => keys.get(kid) })],
  ];
  for (const [when, source] of sources) {
    describe(`with keys that are found ${when}`, () => {
      it('is of no use once the key is gone, or is another', async () => {
        const keys = new Map([['k1', trustedKey(secret, 'k1')]]);
        const checks = verifier({ keys: source(keys) });
        const jwt = jwtOf();
        const token = await seenAgain(checks, jwt);
        expect(await checks.verify(jwt)).to.equal(token);
        keys.set('k1', trustedKey(`${secret}2`, 'k1'));
        expect(await reasonOf(checks, jwt)).to.equal('bad_signature');
        keys.delete('k1');
        expect(await reasonOf(checks, jwt)).to.equal('unknown_key');
        keys.set('k1', trustedKey(secret, 'k1'));
        expect(await reasonOf(checks, jwt)).to.equal('accepted');
      });
    });
  }

  it('is of no use while the keys cannot be had', async () => {
    const key = trustedKey(secret, 'k1');
    let down = false;
    const find = () => {
      if (down) throw new UnavailableError('the keys cannot be had');
      return key;
    };
    const checks = verifier({ keys: { find } });
    const jwt = jwtOf();
    await checks.verify(jwt);
    down = true;
    expect(await failureOf(checks.verify(jwt))).to.be.instanceOf(UnavailableError);
    down = false;
    expect(await reasonOf(checks, jwt)).to.equal('accepted');
  });

  for (const when of ['at once', 'later'] as const) {
    it(`asks each time whether the token was revoked, and is answered ${when}`, async () => {
      let answer: boolean | Error = false;
      let asked = 0;
      const isRevoked = () => {
        asked += 1;
        if (answer instanceof Error) throw answer;
        return answer;
      };
      const checks = verifier({
        revocation: { isRevoked: when === 'at once' ? isRevoked : async () => isRevoked() },
      });
      const jwt = jwtOf();
      for (let turn = 0; turn < 3; turn += 1)
        expect(await reasonOf(checks, jwt)).to.equal('accepted');
      expect(asked).to.equal(3);
      answer = true;
      expect(await reasonOf(checks, jwt)).to.equal('revoked');
      answer = new UnavailableError('the list cannot be had');
      expect(await reasonOf(checks, jwt)).to.equal('unavailable');
      answer = new TokenError('status_refused', 'no such entry');
      expect(await reasonOf(checks, jwt)).to.equal('status_refused');
      answer = false;
      expect(await reasonOf(checks, jwt)).to.equal('accepted');
    });
  }

  it('takes only "false" from a check for an answer that lets a token through', async () => {
    for (const answer of [undefined, null, 0, '', 'false', {}]) {
      let loose: unknown = false;
      const isRevoked = () => loose as boolean;
      const checks = verifier({ revocation: { isRevoked } });
      const jwt = jwtOf();
      expect(await reasonOf(checks, jwt)).to.equal('accepted');
      loose = answer;
      expect(await reasonOf(checks, jwt), JSON.stringify(answer)).to.equal('revoked');
      expect(await reasonOf(checks, jwtOf()), JSON.stringify(answer)).to.equal('revoked');
    }
  });
});

describe('a table of bounded size', () => {
  it('holds what was used last, whatever is done to it', () => {
    const step = fc.record({
      what: fc.constantFrom('get', 'set', 'delete'),
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 40 }),
        (size, steps) => {
          const cache = new LruCache<number>(size);
          let model: [string, number][] = [];
          for (const [turn, { what, id }] of steps.entries()) {
            const known = model.find(([name]) => name === id);
            const others = model.filter(([name]) => name !== id);
            if (what === 'get') {
              expect(cache.get(id)).to.equal(known?.[1]);
              if (known) model = [...others, known];
            } else if (what === 'set') {
              cache.set(id, turn);
              model = [...others, [id, turn] as [string, number]].slice(-size);
            } else {
              cache.delete(id);
              model = others;
            }
          }
          for (const id of ['a', 'b', 'c', 'd', 'e']) {
            expect(cache.get(id)).to.equal(model.find(([name]) => name === id)?.[1]);
          }
        },
      ),
    );
  });
});
