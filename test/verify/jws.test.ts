import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { createVerifier } from '#verify';
import { TestClock } from '../support/clock.ts';
import { forge, goodClaims, trustedKey } from '../support/forge.ts';
import { pair, type PairAlgorithm, signed } from './pairs.ts';
import { reasonOf } from './reason.ts';

const ISSUER = 'https://login.example.org';
const secret = randomBytes(64).toString('hex');

describe('the signature of a token', () => {
  const clock = new TestClock();
  const now = () => clock.now();
  const claims = () => goodClaims(ISSUER, Math.floor(clock.now() / 1000));
  const verifier = createVerifier({ issuer: ISSUER, keys: [trustedKey(secret, 'k1')], now });
  const header = { alg: 'HS256', typ: 'JWT', kid: 'k1' };

  for (const algorithm of ['ES256', 'ES384', 'RS256', 'PS256'] satisfies PairAlgorithm[]) {
    it(`may be one of ${algorithm}, by the key alone that is named`, async () => {
      const [own, other] = [pair('k1', algorithm), pair('k1', algorithm)];
      const checks = createVerifier({ issuer: ISSUER, keys: [own.trusted], now });
      expect(await reasonOf(checks, signed(own, claims()))).to.equal('accepted');
      expect(await reasonOf(checks, signed(other, claims()))).to.equal('bad_signature');
    });
  }

  it('is refused when a key pair of one algorithm signed with another', async () => {
    const rsa = pair('k1', 'RS256');
    const checks = createVerifier({ issuer: ISSUER, keys: [rsa.trusted], now });
    const other = signed({ ...rsa, algorithm: 'PS256' }, claims());
    expect(await reasonOf(checks, other)).to.equal('wrong_algorithm');
    const hidden = signed({ ...rsa, algorithm: 'PS256' }, claims(), { alg: 'RS256' });
    expect(await reasonOf(checks, hidden)).to.equal('bad_signature');
  });

  it('must be written in the one way that its bytes can be written, as must the other parts', async () => {
    const canonical = (part: string) =>
      Buffer.from(part, 'base64url').toString('base64url') === part;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const character = fc.constantFrom(...alphabet.split(''));
    const part = fc.string({ unit: character, minLength: 1, maxLength: 9 });
    const good = forge(header, claims(), secret).split('.');
    await fc.assert(
      fc.asyncProperty(part, fc.nat(2), async (text, at) => {
        const reason = await reasonOf(verifier, good.with(at, text).join('.'));
        // a signature that is canonical is looked at, and found wrong; everything else comes before that
        if (at === 2) expect(reason === 'bad_signature').to.equal(canonical(text));
        else if (!canonical(text)) expect(reason).to.equal('malformed');
      }),
      { numRuns: 500 },
    );
  });

  it('over bytes that are no UTF-8, or begin with a byte order mark, signs nothing', async () => {
    const own = pair('k1');
    const checks = createVerifier({ issuer: ISSUER, keys: [own.trusted], now });
    const payload = JSON.stringify({ ...claims(), name: 'Zo\xeb' });
    expect(await reasonOf(checks, signed(own, Buffer.from(payload, 'utf8')))).to.equal('accepted');
    for (const bytes of [Buffer.from(payload, 'latin1'), Buffer.from(`\uFEFF${payload}`)]) {
      expect(await reasonOf(checks, signed(own, bytes))).to.equal('malformed');
    }
  });

  it('is looked for in texts only', async () => {
    const loose: unknown[] = [
      undefined,
      null,
      1,
      {},
      [],
      Buffer.from(forge(header, claims(), secret)),
    ];
    for (const jwt of loose) {
      expect(await reasonOf(verifier, jwt as string)).to.equal('malformed');
    }
  });

  describe('is not enough:', () => {
    const typed = (typ: unknown) => reasonOf(verifier, forge({ ...header, typ }, claims(), secret));

    it('the type must be that of a token, in any case and with or without application/', async () => {
      for (const typ of [
        'JWT',
        'jwt',
        'at+jwt',
        'AT+JWT',
        'application/at+jwt',
        'Application/At+Jwt',
      ]) {
        expect(await typed(typ), typ).to.equal('accepted');
      }
    });

    it('a signed thing of another type is no token', async () => {
      for (const typ of [
        'statuslist+jwt',
        'application/statuslist+jwt',
        'logout+jwt',
        'dpop+jwt',
        'at+jwt ',
        'text/at+jwt',
        'application/application/at+jwt',
        'application/',
        '',
        undefined,
        null,
        1,
        ['JWT'],
      ]) {
        expect(await typed(typ), String(typ)).to.equal('wrong_type');
      }
    });
  });
});
