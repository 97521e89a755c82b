import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { Client } from '../support/client.ts';
import { serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { ALGORITHMS } from '../../tokens/algorithms.ts';
import { AUDIENCE, type Coatcheck, OTHER_AUDIENCE, startCoatcheck } from './coatcheck.ts';
import { forgeries } from './forgeries.ts';
import { REFUSED, VERIFIERS } from './verifiers.ts';

for (const algorithm of ALGORITHMS) {
  describe(`docs/verify, a token that Coatcheck signed with ${algorithm}`, function () {
    this.timeout(120_000);
    let coatcheck: Coatcheck;
    let tokens: Record<string, string>;

    before(async () => {
      coatcheck = await startCoatcheck(algorithm);
      const { client } = coatcheck;
      const token = await client.token();
      tokens = {
        good: token,
        'for this API alone': await client.token(
          `/auth/token?audience=${coatcheck.trust.audience}`,
        ),
        'for another API': await client.token(`/auth/token?audience=${OTHER_AUDIENCE}`),
        ...(await forgeries(token, await coatcheck.publishedKeys(), coatcheck.trust.secret)),
      };
    });
    after(() => coatcheck[Symbol.asyncDispose]());

    for (const verifier of VERIFIERS) {
      it(`is accepted by ${verifier.name}, which refuses altered and foreign ones`, async function () {
        verifier.needs(this);
        const verdicts = await verifier.verdicts(coatcheck.trust, Object.values(tokens));
        const accepted = Object.keys(tokens).filter((_, index) => verdicts[index] !== REFUSED);
        expect(accepted).to.deep.equal(['good', 'for this API alone']);
        expect(verdicts.slice(0, 2)).to.deep.equal(['ada', 'ada']);
      });
    }
  });
}

describe('docs/verify, a token of the profile jwt', function () {
  this.timeout(120_000);
  let coatcheck: Coatcheck;
  before(async () => (coatcheck = await startCoatcheck('ES256', 'jwt')));
  after(() => coatcheck[Symbol.asyncDispose]());

  for (const verifier of VERIFIERS) {
    if (verifier.accessTokensOnly) continue;
    it(`is accepted by ${verifier.name} as the page is printed`, async function () {
      verifier.needs(this);
      const tokens = [await coatcheck.client.token()];
      expect(await verifier.verdicts(coatcheck.trust, tokens)).to.deep.equal(['ada']);
    });
  }

  it('is refused by express-oauth2-jwt-bearer, which wants access tokens', async () => {
    const strict = VERIFIERS.find(({ accessTokensOnly }) => accessTokensOnly);
    const tokens = [await coatcheck.client.token()];
    expect(await strict?.verdicts(coatcheck.trust, tokens)).to.deep.equal([REFUSED]);
  });

  for (const verifier of VERIFIERS.filter(({ looksAtStatus }) => looksAtStatus)) {
    it(`is refused by ${verifier.name} after the logout`, async function () {
      verifier.needs(this);
      const tokens = [await coatcheck.client.token()];
      expect(await verifier.verdicts(coatcheck.trust, tokens)).to.deep.equal(['ada']);
      await coatcheck.client.post('/auth/logout');
      expect(await verifier.verdicts(coatcheck.trust, tokens)).to.deep.equal([REFUSED]);
    });
  }
});

it('docs/verify, a token is verified with the secret that a first start wrote, and no other', async () => {
  using directory = temporaryDirectory();
  await using service = await serve({ cwd: directory.path, env: { JWT_AUDIENCE: AUDIENCE } });
  const client = new Client(service.url);
  await client.get('/auth/bypass?token=ada');
  const tokens = [await client.token()];
  const secret = parse(readFileSync(join(directory.path, '.env')))['JWT_SECRET_KEY'] ?? '';
  const issuer = `http://localhost:${service.port}`;
  const trust = { algorithm: 'HS256', typ: 'JWT', issuer, audience: AUDIENCE, secret };
  const [verifier] = VERIFIERS;
  expect(await verifier?.verdicts(trust, tokens)).to.deep.equal(['ada']);
  const other = { ...trust, secret: `${secret.slice(1)}0` };
  expect(await verifier?.verdicts(other, tokens)).to.deep.equal([REFUSED]);
}).timeout(120_000);
