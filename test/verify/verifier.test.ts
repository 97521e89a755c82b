import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createVerifier, type Token, TokenError, type VerifierOptions } from '#verify';
import { SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { forge, goodClaims, trustedKey } from '../support/forge.ts';

const ISSUER = 'https://login.example.org';
const secret = randomBytes(64).toString('hex');
const header = { alg: 'HS256', typ: 'JWT', kid: 'k1' };

describe('a verifier', () => {
  let clock: TestClock;
  beforeEach(() => {
    clock = new TestClock();
    clock.advance(-(clock.now() % SECOND));
  });

  const verifier = (more: Partial<VerifierOptions> = {}) =>
    createVerifier({
      issuer: ISSUER,
      keys: [trustedKey(secret, 'k1')],
      now: () => clock.now(),
      ...more,
    });
  const claims = (more: object = {}) => ({ ...goodClaims(ISSUER, clock.now() / SECOND), ...more });

  const verify = (
    payload: object | string,
    options: Partial<VerifierOptions> = {},
  ): Promise<Token> => verifier(options).verify(forge(header, payload, secret));

  /** Why it refuses such a payload. */
  async function reason(payload: object | string, options: Partial<VerifierOptions> = {}) {
    try {
      await verify(payload, options);
      return 'accepted';
    } catch (error) {
      if (error instanceof TokenError) return error.reason;
      throw error;
    }
  }

  it('answers the claims of a token that is right', async () => {
    const payload = claims({
      roles: ['admin'],
      nested: { deep: [null] },
      nbf: 1,
      ['__proto__x']: 1,
    });
    expect(await verify(payload)).to.deep.equal(payload);
  });

  it('gives claims that nobody can change for the next one, however deep', async () => {
    const payload = claims({ roles: ['user'], nested: { deep: [{}] } });
    const jwt = forge(header, payload, secret);
    const keeping = verifier({});
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    for (let time = 1; time < 4; time += 1) {
      const token = await keeping.verify(jwt);
      expect(token).to.deep.equal(payload);
      expect(frozen(token)).to.equal(true);
      expect(() => (token['roles'] as string[]).push('admin')).to.throw(TypeError);
    }
  });

  it('takes the key that the token names, each with its own algorithm', async () => {
    const other = randomBytes(64).toString('hex');
    const keys = [trustedKey(secret, 'k1'), trustedKey(other, 'k2', 'HS512')];
    const payload = claims();
    const second = forge({ alg: 'HS512', typ: 'JWT', kid: 'k2' }, payload, other, 'HS512');
    expect(await verifier({ keys }).verify(second)).to.deep.equal(payload);
    expect(await verifier({ keys }).verify(forge(header, payload, secret))).to.deep.equal(payload);
  });

  it('says why it refuses a token without repeating the token', async () => {
    const jwt = forge(header, claims({ iss: 'https://evil.example' }), secret);
    const error = await failureOf(verifier().verify(jwt));
    expect(error).to.be.instanceOf(TokenError);
    const { message } = error;
    expect(message).to.equal('The token comes from another issuer.');
    expect(message).not.to.include(jwt);
  });

  describe('security 7: demands', () => {
    for (const name of ['iss', 'sub', 'iat', 'exp', 'jti', 'sid']) {
      it(`the claim ${name}`, async () => {
        expect(await reason(claims({ [name]: undefined }))).to.equal('claim_missing');
      });
    }

    it('texts and numbers where they belong', async () => {
      const wrong: unknown[] = [null, [], {}, true, ['x'], { toString: 'x' }];
      for (const name of ['iss', 'sub', 'jti', 'sid']) {
        for (const value of [...wrong, 1])
          expect(await reason(claims({ [name]: value })), name).not.to.equal('accepted');
      }
      for (const name of ['iat', 'exp', 'nbf']) {
        for (const value of [...wrong, '1', '9999999999']) {
          expect(await reason(claims({ [name]: value })), name).not.to.equal('accepted');
        }
      }
    });

    it('a JWT, and no other kind of token that the same key may have signed', async () => {
      for (const typ of [undefined, null, '', 'statuslist+jwt', 'JWT ', ['JWT'], 1]) {
        const jwt = forge({ ...header, typ }, claims(), secret);
        expect(await failureOf(verifier().verify(jwt)), String(typ)).to.be.instanceOf(TokenError);
      }
    });

    it('its issuer, exactly', async () => {
      for (const iss of [
        '',
        'https://evil.example',
        `${ISSUER}/`,
        ISSUER.toUpperCase(),
        ` ${ISSUER}`,
        `${ISSUER}.evil.example`,
      ]) {
        expect(await reason(claims({ iss })), iss).to.equal('wrong_issuer');
      }
      for (const iss of [[ISSUER], { [ISSUER]: 1 }, 1, null])
        expect(await reason(claims({ iss }))).to.equal('wrong_issuer');
    });

    it('its audience, when it has one', async () => {
      const options = { audience: 'orders' };
      for (const aud of ['orders', ['orders'], ['billing', 'orders']]) {
        expect(await reason(claims({ aud }), options)).to.equal('accepted');
      }
      for (const aud of [
        'billing',
        '',
        'Orders',
        'orders ',
        [],
        ['billing'],
        [['orders']],
        { orders: 1 },
        null,
        1,
      ]) {
        expect(await reason(claims({ aud }), options), JSON.stringify(aud)).to.equal(
          'wrong_audience',
        );
      }
      expect(await reason(claims(), options)).to.equal('claim_missing');
      expect(await reason(claims({ aud: 'billing' }))).to.equal('accepted');
    });

    it('one of its audiences, when it has several', async () => {
      const options = { audience: ['orders', 'billing'] };
      for (const aud of ['orders', 'billing', ['other', 'billing']]) {
        expect(await reason(claims({ aud }), options)).to.equal('accepted');
      }
      for (const aud of ['other', [], ['other'], ['orders', 1]]) {
        expect(await reason(claims({ aud }), options)).to.equal('wrong_audience');
      }
    });

    it('an audience that is one, even where it is not looked for', async () => {
      for (const aud of [1, null, {}, [1], [['orders']]]) {
        expect(await reason(claims({ aud })), JSON.stringify(aud)).to.equal('malformed');
      }
    });

    it('claims of the types that they have, where it has them', async () => {
      for (const name of ['id', 'username', 'name', 'email', 'client_id']) {
        for (const value of [1, null, ['x'], {}, true]) {
          expect(await reason(claims({ [name]: value })), name).to.equal('malformed');
        }
        expect(await reason(claims({ [name]: 'x' })), name).to.equal('accepted');
      }
      for (const name of ['roles', 'amr']) {
        for (const value of ['admin', null, [1], [['admin']], {}, 1]) {
          expect(await reason(claims({ [name]: value })), name).to.equal('malformed');
        }
        expect(await reason(claims({ [name]: ['x'] })), name).to.equal('accepted');
      }
    });

    it('in production, another proof of identity than the bypass', async () => {
      for (const amr of [['bypass'], ['pwd', 'bypass']]) {
        const payload = claims({ amr, aud: 'orders' });
        for (const more of [{}, { audience: 'orders' }, { cache: false as const }]) {
          expect(await reason(payload, { production: true, ...more })).to.equal('bypass_refused');
          expect(await reason(payload, { production: false, ...more })).to.equal('accepted');
        }
      }
      for (const amr of [['pwd'], [], undefined, ['bypassed']]) {
        expect(await reason(claims({ amr }), { production: true })).to.equal('accepted');
      }
    });

    it('that by what NODE_ENV said when the verifier was made', async () => {
      const jwt = forge(header, claims({ amr: ['bypass'] }), secret);
      const before = process.env['NODE_ENV'];
      const made = (mode: string) => {
        process.env['NODE_ENV'] = mode;
        try {
          return verifier();
        } finally {
          process.env['NODE_ENV'] = before;
        }
      };
      expect(await failureOf(made('production').verify(jwt))).to.include({
        reason: 'bypass_refused',
      });
      for (const mode of ['development', 'test']) {
        expect(await made(mode).verify(jwt)).to.include({ sub: 'u1' });
      }
    });

    it('a payload that is an object', async () => {
      for (const payload of [
        '[]',
        '"text"',
        'null',
        '1',
        'true',
        '',
        '{',
        '{}}',
        JSON.stringify([claims()]),

        "{'iss':1}",
      ]) {
        expect(await reason(payload), payload).to.equal('malformed');
      }
      expect(await reason('{}')).to.equal('claim_missing');
    });
  });

  describe('holds the times of a token, with 5 seconds for clocks that differ', () => {
    it('from its expiry on', async () => {
      const payload = claims({ exp: clock.now() / SECOND + 100 });
      const at = async (milliseconds: number) => {
        clock.advance(milliseconds);
        const result = await reason(payload);
        clock.advance(-milliseconds);
        return result;
      };
      expect(await at(99_000)).to.equal('accepted');
      expect(await at(104_999)).to.equal('accepted');
      expect(await at(105_000)).to.equal('expired');
      expect(await at(10_000_000)).to.equal('expired');
    });

    it('until it becomes valid', async () => {
      const now = clock.now() / SECOND;
      expect(await reason(claims({ nbf: now }))).to.equal('accepted');
      expect(await reason(claims({ nbf: now + 5 }))).to.equal('accepted');
      expect(await reason(claims({ nbf: now + 5.001 }))).to.equal('not_yet_valid');
      expect(await reason(claims({ nbf: now + 6 }))).to.equal('not_yet_valid');
    });

    it('or as many seconds as it is told', async () => {
      const exp = clock.now() / SECOND;
      expect(await reason(claims({ exp: exp + 1 }), { clockTolerance: 0 })).to.equal('accepted');
      expect(await reason(claims({ exp }), { clockTolerance: 0 })).to.equal('expired');
      expect(await reason(claims({ exp: exp - 59 }), { clockTolerance: 60 })).to.equal('accepted');
      expect(await reason(claims({ exp: exp - 60 }), { clockTolerance: 60 })).to.equal('expired');
    });

    it('and refuses everything by a clock that answers no number', async () => {
      expect(await reason(claims(), { now: () => Number.NaN })).to.equal('expired');
    });

    it('which never are endless', async () => {
      const endless = JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999');
      expect(await reason(endless)).to.equal('malformed');
    });

    it('in seconds: a time in milliseconds is an expiry far away, a negative one long past', async () => {
      expect(await reason(claims({ exp: -1 }))).to.equal('expired');
      expect(await reason(claims({ exp: 0 }))).to.equal('expired');
      expect(await reason(claims({ nbf: clock.now() }))).to.equal('not_yet_valid');
    });
  });

  describe('is not made', () => {
    const keys = [trustedKey(secret, 'k1')];

    it('for a blank issuer, which it could not check', () => {
      for (const issuer of ['', ' ', '\t'])
        expect(() => createVerifier({ issuer, keys })).to.throw(TypeError, 'issuer');
    });

    it('for a blank audience, which would look like a check', () => {
      for (const audience of ['', ' ']) {
        expect(() => createVerifier({ issuer: ISSUER, audience, keys })).to.throw(
          TypeError,
          'audience',
        );
      }
    });

    it('by JavaScript that forgets the issuer or passes null for the audience', () => {
      const loose: unknown[] = [
        { keys },
        { keys, issuer: null },
        { keys, issuer: ISSUER, audience: null },
        { keys, issuer: ISSUER, audience: undefined },
      ];
      for (const options of loose)
        expect(() => void Reflect.apply(createVerifier, undefined, [options])).to.throw(TypeError);
    });

    it('without keys', () => {
      expect(() => createVerifier({ issuer: ISSUER, keys: [] })).to.throw(TypeError, 'keys');
    });
  });
});
