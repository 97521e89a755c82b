import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier } from '#verify';
import { Problem } from '../../core/errors.ts';
import { USER_CLAIMS } from '../../tokens/claims.ts';
import { createIssuer, type IssuerOptions } from '../../tokens/issuer.ts';
import { HMAC_ALGORITHMS } from '../../tokens/algorithms.ts';
import { hmacKeyRing } from '../support/key-ring.ts';
import { DAY, HOUR, SECOND, TestClock } from '../support/clock.ts';

const secret = randomBytes(64).toString('hex');
const ISSUER = 'http://localhost:3000';
const ada = {
  id: 'u1',
  username: 'ada',
  name: 'Ada Lovelace',
  email: 'ada@example.org',
  roles: ['admin'],
};

describe('a token', () => {
  let clock: TestClock;
  beforeEach(() => (clock = new TestClock()));

  const issuer = (more: Partial<IssuerOptions> = {}) =>
    createIssuer({
      keyRing: hmacKeyRing('HS256', secret),
      clock,
      issuer: ISSUER,
      audiences: [],
      claims: USER_CLAIMS,
      expiresIn: 21_600,
      profile: 'jwt',
      statusListUri: (list) => `${ISSUER}/status-lists/${list}`,
      ...more,
    });
  const session = (more = {}) => ({
    publicId: randomUUID(),
    amr: 'pwd',
    createdAt: clock.now(),
    expiresAt: clock.now() + 7 * DAY,
    status: { list: 'l1', index: 42 },
    ...more,
  });
  const seconds = () => Math.floor(clock.now() / SECOND);

  /** The payload as anybody can read it. */
  function payloadOf(jwt: string): Record<string, unknown> {
    const payload = jsonwebtoken.decode(jwt);
    if (payload === null || typeof payload === 'string')
      throw new Error('the payload is no object');
    return payload;
  }

  async function problemOf(step: () => Promise<unknown>): Promise<Problem> {
    try {
      await step();
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
    throw new Error('this should have failed, but did not');
  }

  it('says these things, and nothing else', async () => {
    const from = session({ createdAt: clock.now() - HOUR, amr: 'bypass' });
    const { jwt, claims } = await issuer().issue(ada, from);
    const payload = payloadOf(jwt);
    expect(payload).to.deep.equal({
      iss: ISSUER,
      sub: 'u1',
      iat: seconds(),
      exp: seconds() + 21_600,
      jti: payload['jti'],
      sid: from.publicId,
      auth_time: Math.floor((clock.now() - HOUR) / SECOND),
      amr: ['bypass'],
      status: { status_list: { idx: 42, uri: `${ISSUER}/status-lists/l1` } },
      ...ada,
    });
    expect(payload).to.deep.equal(claims);
    expect(payload['jti']).to.match(/^[0-9a-f-]{36}$/);
  });

  it('names its algorithm, its type and its key, and nothing else, in the header', async () => {
    const { jwt } = await issuer().issue(ada, session());
    const { kid } = hmacKeyRing('HS256', secret).signing();
    expect(decodeProtectedHeader(jwt)).to.deep.equal({ alg: 'HS256', typ: 'JWT', kid });
  });

  it('never carries anything else that a user or a session has', async () => {
    const extra = fc.dictionary(
      fc.oneof(
        fc.constantFrom(
          'password_hash',
          'aud',
          'nbf',
          'role',
          'cookie',
          'id_hash',
          'data',
          '__proto__',
        ),
        fc.string(),
      ),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(extra, extra, async (ofUser, ofSession) => {
        const from = { ...ofSession, ...session() };
        const payload = payloadOf((await issuer().issue({ ...ofUser, ...ada }, from)).jwt);
        expect(Object.keys(payload).toSorted()).to.deep.equal([
          'amr',
          'auth_time',
          'email',
          'exp',
          'iat',
          'id',
          'iss',
          'jti',
          'name',
          'roles',
          'sid',
          'status',
          'sub',
          'username',
        ]);
        expect(payload).to.deep.include({ ...ada, sid: from.publicId, iss: ISSUER, sub: 'u1' });
      }),
    );
  });

  it('security 7: always has issuer, subject, times, id and session, whatever the settings leave out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.subarray([...USER_CLAIMS]),
        fc.integer({ min: 1, max: 86_400 }),
        async (claims, expiresIn) => {
          const ticket = await issuer({ claims, expiresIn }).issue(ada, session());
          const payload = payloadOf(ticket.jwt);
          for (const name of ['iss', 'sub', 'jti', 'sid'])
            expect(payload[name]).to.be.a('string').that.is.not.empty;
          expect(payload).to.include({ iat: seconds(), exp: seconds() + expiresIn });
        },
      ),
    );
  });

  it('has an id of its own', async () => {
    const to = session();
    const one = issuer();
    const tickets = await Promise.all(Array.from({ length: 1000 }, () => one.issue(ada, to)));
    expect(new Set(tickets.map(({ claims }) => claims.jti)).size).to.equal(1000);
  });

  it('counts in whole seconds, rounded down', async () => {
    clock.advance(999 - (clock.now() % 1000));
    const { claims } = await issuer().issue(ada, session());
    expect(claims.iat).to.equal((clock.now() - 999) / 1000);
    expect(claims.auth_time).to.equal(claims.iat);
  });

  it('tells its holder when it ends', async () => {
    expect(await issuer().issue(ada, session())).to.include({
      expiresIn: 21_600,
      expiresAt: seconds() + 21_600,
    });
  });

  it('ends with its session when that is sooner, rounded down', async () => {
    for (const [left, expiresIn] of [
      [HOUR, 3600],
      [21_600 * SECOND, 21_600],
      [21_600 * SECOND - 1, 21_599],
      [21_601 * SECOND, 21_600],
      [2 * SECOND, 2],
    ] as const) {
      clock.advance(-(clock.now() % 1000));
      const ticket = await issuer().issue(ada, session({ expiresAt: clock.now() + left }));
      expect(ticket).to.include({ expiresIn, expiresAt: seconds() + expiresIn });
      expect(payloadOf(ticket.jwt)).to.include({ exp: seconds() + expiresIn });
    }
  });

  it('never outlives its session, at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -5000, max: 30_000_000 }),
        fc.nat({ max: 999 }),
        async (left, drift) => {
          clock.advance(drift);
          const expiresAt = clock.now() + left;
          try {
            const { claims } = await issuer().issue(ada, session({ expiresAt }));
            expect(claims.exp * SECOND).to.be.at.most(expiresAt);
            expect(claims.exp).to.be.greaterThan(claims.iat);
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            expect(left).to.be.below(SECOND);
          }
        },
      ),
    );
  });

  it('is refused when the session ends within this second', async () => {
    clock.advance(-(clock.now() % 1000));
    for (const left of [999, 1, 0, -1, -DAY]) {
      const problem = await problemOf(() =>
        issuer().issue(ada, session({ expiresAt: clock.now() + left })),
      );
      expect(problem).to.include({ code: 'session_required', status: 401 });
    }
  });

  describe('of RFC 9068', () => {
    it('says so in its type and names its client', async () => {
      const { jwt } = await issuer({ profile: 'rfc9068', audiences: ['orders'] }).issue(
        ada,
        session(),
      );
      expect(decodeProtectedHeader(jwt).typ).to.equal('at+jwt');
      expect(payloadOf(jwt)).to.include({ client_id: 'coatcheck', aud: 'orders' });
    });
  });

  describe('for an audience', () => {
    const audienceOf = async (audiences: string[], asked?: string) =>
      payloadOf((await issuer({ audiences }).issue(ada, session(), asked)).jwt)['aud'];

    it('has none when none is configured', async () => {
      expect(payloadOf((await issuer().issue(ada, session())).jwt)).not.to.have.property('aud');
    });

    it('names the only one as a text and several as a list', async () => {
      expect(await audienceOf(['orders'])).to.equal('orders');
      expect(await audienceOf(['orders', 'billing'])).to.deep.equal(['orders', 'billing']);
    });

    it('names the one that is asked for', async () => {
      expect(await audienceOf(['orders', 'billing'], 'billing')).to.equal('billing');
      expect(await audienceOf(['orders'], 'orders')).to.equal('orders');
    });

    it('is refused for every other', async () => {
      for (const asked of ['', 'Orders', 'orders ', 'billing', 'orders,billing', '__proto__']) {
        for (const audiences of [[], ['orders']]) {
          expect(await problemOf(() => audienceOf(audiences, asked))).to.include({
            code: 'invalid_target',
            status: 400,
          });
        }
      }
    });
  });

  for (const algorithm of HMAC_ALGORITHMS) {
    it(`signed with ${algorithm} is verified by jsonwebtoken, by jose and by our verifier, each with the secret alone`, async () => {
      const keyRing = hmacKeyRing(algorithm, secret);
      const { jwt, claims } = await issuer({ keyRing }).issue(ada, session());
      expect(
        jsonwebtoken.verify(jwt, secret, { algorithms: [algorithm], issuer: ISSUER }),
      ).to.deep.equal(claims);
      const { payload } = await jwtVerify(jwt, new TextEncoder().encode(secret), {
        algorithms: [algorithm],
      });
      expect(payload).to.deep.equal(claims);
      const verifier = createVerifier({
        issuer: ISSUER,
        keys: keyRing,
        revocation: 'off',
        now: () => clock.now(),
      });
      expect(await verifier.verify(jwt)).to.deep.equal(claims);
    });
  }

  it('signed with a previous secret is verified after a rotation; the other way round it is not', async () => {
    const next = randomBytes(64).toString('hex');
    const before = hmacKeyRing('HS256', secret);
    const after = hmacKeyRing('HS256', next, [secret]);
    const verify = (keys: typeof before, jwt: string) =>
      createVerifier({ issuer: ISSUER, keys, revocation: 'off', now: () => clock.now() }).verify(
        jwt,
      );
    const old = await issuer().issue(ada, session());
    const fresh = await issuer({ keyRing: after }).issue(ada, session());
    expect(await verify(after, old.jwt)).to.deep.equal(old.claims);
    expect(await verify(after, fresh.jwt)).to.deep.equal(fresh.claims);
    const refused = await verify(before, fresh.jwt).catch((error: unknown) => error);
    expect(refused).to.include({ reason: 'unknown_key' });
  });
});
