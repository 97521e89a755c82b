import { expect } from 'chai';
import { createVerifier, type Verifier } from '#verify';
import { createTestIssuer, type TestIssuer } from '../../packages/verify/testing/index.ts';
import { failureOf } from '../support/failure.ts';
import { reasonOf } from './reason.ts';

describe('the issuer for tests', () => {
  let issuer: TestIssuer;
  let verifier: Verifier;
  beforeEach(async () => {
    issuer = await createTestIssuer();
    verifier = createVerifier(issuer.settings);
  });

  const seconds = () => Math.floor(issuer.settings.now() / 1000);

  it('makes tokens as Coatcheck does', async () => {
    const token = await verifier.verify(await issuer.token());
    expect(token).to.include({ iss: issuer.settings.issuer, sub: 'user-1', username: 'ada' });
    expect(token).to.deep.include({ aud: issuer.settings.audience, roles: [], amr: ['pwd'] });
    expect(token.exp - token.iat).to.equal(21_600);
    expect(token).to.include.keys('jti', 'sid', 'auth_time', 'status', 'id');
  });

  it('makes them say what a test wants', async () => {
    const token = await verifier.verify(
      await issuer.token({
        roles: ['admin'],
        sub: 'u7',
        username: 'bob',
        expiresIn: 60,
        tenant: 't1',
        email: undefined,
      }),
    );
    expect(token).to.deep.include({
      roles: ['admin'],
      sub: 'u7',
      id: 'u7',
      username: 'bob',
      tenant: 't1',
    });
    expect(token.exp - token.iat).to.equal(60);
    expect(token).not.to.have.any.keys('email', 'expiresIn', 'audience');
    const both = await issuer.token({ audience: ['other', issuer.settings.audience as string] });
    expect(await reasonOf(verifier, both)).to.equal('accepted');
    expect(await reasonOf(verifier, await issuer.token({ audience: undefined }))).to.equal(
      'claim_missing',
    );
    expect(await reasonOf(verifier, await issuer.token({ sub: undefined }))).to.equal(
      'claim_missing',
    );
  });

  const kinds: [Exclude<keyof TestIssuer, 'settings' | 'revoke' | 'advance'>, string][] = [
    ['token', 'accepted'],
    ['expired', 'expired'],
    ['notYetValid', 'not_yet_valid'],
    ['wrongAudience', 'wrong_audience'],
    ['wrongIssuer', 'wrong_issuer'],
    ['wrongKey', 'bad_signature'],
    ['tampered', 'bad_signature'],
    ['revoked', 'revoked'],
    ['unsigned', 'malformed'],
    ['wrongAlgorithm', 'wrong_algorithm'],
    ['wrongType', 'wrong_type'],
    ['bypass', 'bypass_refused'],
  ];
  it('has tokens of every kind listed here', () => {
    const made = Object.entries(issuer).filter(([, value]) => typeof value === 'function');
    const names = made
      .map(([name]) => name)
      .filter((name) => !['revoke', 'advance'].includes(name));
    expect(names).to.have.members(kinds.map(([name]) => name));
  });
  for (const [kind, expected] of kinds) {
    it(`makes ${kind}() tokens, which are: ${expected}`, async () => {
      const production = createVerifier({ ...issuer.settings, production: true });
      for (const options of [undefined, { roles: ['admin', 'root'], sub: 'u7' }]) {
        expect(await reasonOf(production, await issuer[kind](options))).to.equal(expected);
      }
    });
  }

  it('makes bypass() tokens that are good outside of production', async () => {
    expect(await reasonOf(verifier, await issuer.bypass())).to.equal('accepted');
  });

  it('revokes a token that is in use, and no other', async () => {
    const [one, other] = [await issuer.token(), await issuer.token()];
    for (const jwt of [one, other]) expect(await reasonOf(verifier, jwt)).to.equal('accepted');
    await issuer.revoke(one);
    expect(await reasonOf(verifier, one)).to.equal('revoked');
    expect(await reasonOf(verifier, other)).to.equal('accepted');
    expect(await reasonOf(verifier, await issuer.revoked())).to.equal('revoked');
    await issuer.revoke(other);
    expect(await reasonOf(verifier, other)).to.equal('revoked');
  });

  it('does not revoke what is no token', async () => {
    for (const text of ['', 'x', 'a.b.c', await issuer.token({ status: undefined })]) {
      expect(await failureOf(issuer.revoke(text))).to.be.instanceOf(TypeError);
    }
  });

  it('lets time pass', async () => {
    const jwt = await issuer.token({ expiresIn: 60 });
    const before = seconds();
    expect(await reasonOf(verifier, jwt)).to.equal('accepted');
    issuer.advance(65);
    expect(seconds() - before).to.be.within(65, 66);
    expect(await reasonOf(verifier, jwt)).to.equal('expired');
    expect(await reasonOf(verifier, await issuer.token())).to.equal('accepted');
  });

  it('may have a clock, a name and an audience given to it', async () => {
    const own = await createTestIssuer({
      issuer: 'https://Login.test/a/',
      audience: 'orders',
      now: () => 1e12,
    });
    const token = await createVerifier(own.settings).verify(await own.token());
    expect(token).to.include({ iss: 'https://Login.test/a/', aud: 'orders', iat: 1e9 });
  });

  it('can be discovered', async () => {
    const { jwksUri: _, ...settings } = issuer.settings;
    const discovering = createVerifier({ ...settings, discovery: true });
    expect(await reasonOf(discovering, await issuer.token())).to.equal('accepted');
  });

  it('is not believed by those who know another', async () => {
    const other = await createTestIssuer();
    expect(await reasonOf(verifier, await other.token())).to.equal('unknown_key');
  });

  it('answers nothing else', async () => {
    const { status } = await issuer.settings.fetch('https://issuer.test/other');
    expect(status).to.equal(404);
  });
});
