import { expect } from 'chai';
import fc from 'fast-check';
import { createVerifier, fixedKeys, TokenError } from '#verify';
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { createTestIssuer, type TestIssuer } from '../../packages/verify/testing/index.ts';
import { CLAIMS } from '../../tokens/claim-names.ts';
import { createInspector, type Inspector } from '../../tokens/inspector.ts';
import type { ReasonCode } from '../../tokens/claim-reasons.ts';
import { TestClock } from '../support/clock.ts';
import { forge, goodClaims, trustedKey } from '../support/forge.ts';

const NO_TIMES = { signsFrom: 0, retiredAt: Infinity, goneAt: undefined, rejected: false } as const;

/** What every kind of token of a test issuer is refused for, in the words of the verifier and in those of the inspector. */
const KINDS = {
  token: undefined,
  expired: 'expired',
  notYetValid: 'not_yet_valid',
  wrongAudience: 'wrong_audience',
  wrongIssuer: 'wrong_issuer',
  wrongKey: 'bad_signature',
  tampered: 'bad_signature',
  revoked: 'revoked',
  unsigned: 'no_signature',
  wrongAlgorithm: 'wrong_algorithm',
  wrongType: 'wrong_type',
  bypass: 'bypass_refused',
} as const satisfies Record<string, ReasonCode | undefined>;

/** An inspector that knows what the verifier of a test issuer fetches. */
async function inspectorOf(issuer: TestIssuer): Promise<Inspector> {
  const { settings } = issuer;
  const verifier = createVerifier({ ...settings, production: true });
  const set = await (await settings.fetch(settings.jwksUri, {})).json();
  const [jwk] = (set as { keys: (JsonWebKey & { kid: string })[] }).keys;
  if (jwk === undefined) throw new Error('the issuer has no key');
  const key = {
    kid: jwk.kid,
    algorithm: 'ES256',
    key: createPublicKey({ key: { ...jwk }, format: 'jwk' }),
  };
  return createInspector({
    verifier,
    clock: { now: settings.now },
    issuer: settings.issuer,
    audiences: [settings.audience].flat(),
    production: true,
    keys: async (kid) => (kid === key.kid ? { ...NO_TIMES, state: 'signing', key } : undefined),
    isRevoked: async (entry) => (entry as { idx: number }).idx === 0,
    sessionGoesOn: async () => false,
  });
}

describe('The inspector', () => {
  it('names the reason of every kind of token, and finds the good one valid', async () => {
    const issuer = await createTestIssuer();
    const inspector = await inspectorOf(issuer);
    for (const [kind, code] of Object.entries(KINDS)) {
      const token = await issuer[kind as keyof typeof KINDS]();
      const { verdict, reasons } = await inspector.inspect(token);
      expect(
        reasons.map((reason) => reason.code),
        kind,
      ).to.deep.equal(code === undefined ? [] : [code]);
      expect(verdict, kind).to.equal(code === undefined ? 'valid' : 'invalid');
    }
  });

  describe('agrees with the verifier', () => {
    const secret = 'a secret of more than thirty-two bytes';
    const clock = new TestClock();
    const key = trustedKey(secret, 'k1');
    const issuer = 'https://login.example.org';
    const production = true;
    const verifier = createVerifier({
      issuer,
      keys: fixedKeys([key]),
      revocation: 'off',
      cache: false,
      clockTolerance: 0,
      production,
      now: () => clock.now(),
    });
    const inspector = createInspector({
      verifier,
      clock,
      issuer,
      audiences: [],
      production,
      keys: async (kid) => (kid === 'k1' ? { ...NO_TIMES, state: 'signing', key } : undefined),
      isRevoked: async () => false,
      sessionGoesOn: async () => true,
    });
    const accepts = (jwt: string) =>
      verifier.verify(jwt).then(
        () => true,
        (error: unknown) => {
          if (error instanceof TokenError) return false;
          throw error;
        },
      );

    const now = Math.floor(clock.now() / 1000);
    const odd = fc.oneof(
      fc.constantFrom<unknown>(
        undefined,
        null,
        '',
        'x',
        0,
        -1,
        1.5,
        1e300,
        -1e300,
        true,
        [],
        {},
        [''],
        [1],
        ['bypass'],
      ),
      fc.constantFrom<unknown>(
        now,
        now + 1,
        now - 1,
        now * 1000,
        String(now),
        issuer,
        [issuer],
        ['pwd'],
      ),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const claim = fc.constantFrom(...CLAIMS.keys(), 'x', '__proto__', 'constructor');
    const parameter = fc.constantFrom(
      'alg',
      'typ',
      'kid',
      'crit',
      'jwk',
      'jku',
      'x5u',
      'x5c',
      'cty',
      'x',
    );
    const oddHeader = fc.oneof(
      odd,
      fc.constantFrom<unknown>(
        'JWT',
        'jwt',
        'at+jwt',
        'application/AT+JWT',
        'none',
        'HS512',
        'k1',
        'k2',
      ),
    );
    const changes = fc.tuple(
      fc.array(fc.tuple(claim, odd), { maxLength: 3 }),
      fc.oneof(fc.constant([]), fc.array(fc.tuple(parameter, oddHeader), { maxLength: 2 })),
    );

    it('on every claim and every header parameter, and has a reason for each refusal', async () => {
      await fc.assert(
        fc.asyncProperty(
          changes,
          fc.constantFrom(secret, 'another'),
          async ([claims, header], by) => {
            const jwt = forge(
              { alg: 'HS256', typ: 'JWT', kid: 'k1', ...Object.fromEntries(header) },
              { ...goodClaims(issuer, now), ...Object.fromEntries(claims) },
              by,
            );
            const { verdict, reasons } = await inspector.inspect(jwt);
            expect(verdict).to.equal((await accepts(jwt)) ? 'valid' : 'invalid');
            expect(reasons.length > 0).to.equal(verdict === 'invalid');
            expect(
              reasons.map(({ code }) => code),
              'only what nothing here explains',
            ).to.not.include('other');
          },
        ),
        { numRuns: 1500 },
      );
    });

    it('on each claim and each header parameter that is left out', async () => {
      const [header, claims] = [{ alg: 'HS256', typ: 'JWT', kid: 'k1' }, goodClaims(issuer, now)];
      const without = (name: string) =>
        forge({ ...header, [name]: undefined }, { ...claims, [name]: undefined }, secret);
      for (const name of [...Object.keys(header), ...Object.keys(claims)]) {
        const { verdict, reasons } = await inspector.inspect(without(name));
        expect(verdict, name).to.equal('invalid');
        expect(
          reasons.map(({ code }) => code),
          name,
        )
          .to.have.length(1)
          .and.not.include('other');
        expect(await accepts(without(name)), name).to.equal(false);
      }
    });

    it('on tokens with one character changed', async () => {
      const jwt = forge({ alg: 'HS256', typ: 'JWT', kid: 'k1' }, goodClaims(issuer, now), secret);
      const character = fc.constantFrom(
        'A',
        'B',
        'Q',
        'a',
        'q',
        '0',
        '1',
        '9',
        '-',
        '_',
        '.',
        '+',
        '=',
      );
      await fc.assert(
        fc.asyncProperty(fc.nat(jwt.length - 1), character, async (at, other) => {
          const changed = jwt.slice(0, at) + other + jwt.slice(at + 1);
          const found = await inspector.inspect(changed).catch(() => undefined);
          if (found !== undefined) expect(found.verdict === 'valid').to.equal(changed === jwt);
        }),
        { numRuns: 500 },
      );
    });
  });
});
