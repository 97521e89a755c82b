import { expect } from 'chai';
import { type OwnIssuer, REVOKED, startOwnIssuer } from './own-issuer.ts';
import { REFUSED, VERIFIERS } from './verifiers.ts';

const now = Math.floor(Date.now() / 1000);

/** What is wrong with tokens whose signature is right. */
const WRONG = {
  'it has expired': { exp: now - 1 },
  'it does not say when it expires': { exp: undefined },
  'it is not valid yet': { nbf: now + 86_400 },
  'it is from another issuer': { iss: 'http://localhost:1' },
  'its issuer only begins like ours': { iss: 'http://localhost' },
  'it does not say who issued it': { iss: undefined },
  'it is for another API': { aud: 'https://other.example' },
  'it is for an API whose name only begins like ours': { aud: 'https://api.example.org' },
  'it is for two other APIs': { aud: ['https://other.example', 'https://third.example'] },
  'it does not say for which API': { aud: undefined },
  'it is for no API': { aud: [] },
  'it does not say whose it is': { sub: undefined },
  'it has no id': { jti: undefined },
  'it has no session': { sid: undefined },
};

for (const algorithm of ['ES256', 'HS256']) {
  describe(`docs/verify, a token rightly signed with ${algorithm}`, function () {
    this.timeout(120_000);
    let issuer: OwnIssuer;
    before(async () => (issuer = await startOwnIssuer(algorithm, 'at+jwt')));
    after(() => issuer[Symbol.asyncDispose]());

    for (const verifier of VERIFIERS) {
      it(`is refused by ${verifier.name} for what it says or does not say`, async function () {
        verifier.needs(this);
        const tokens = {
          good: await issuer.token(),
          'for several': await issuer.token({
            aud: ['https://other.example', 'https://api.example'],
          }),
          'it is a status list': await issuer.token({}, { typ: 'statuslist+jwt' }),
          'it is of another kind': await issuer.token({}, { typ: 'JWT' }),
          'it does not say of which kind it is': await issuer.token({}, { typ: undefined }),
        };
        const wrong = Object.entries(WRONG).map(async ([why, claims]) => [
          why,
          await issuer.token(claims),
        ]);
        Object.assign(tokens, Object.fromEntries(await Promise.all(wrong)));
        const verdicts = await verifier.verdicts(issuer.trust, Object.values(tokens));
        const accepted = Object.keys(tokens).filter((_, index) => verdicts[index] !== REFUSED);
        expect(accepted).to.deep.equal(['good', 'for several']);
      });
    }

    for (const verifier of VERIFIERS.filter(({ looksAtStatus }) => looksAtStatus)) {
      it(`is refused by ${verifier.name} when it has been revoked or nobody can know`, async function () {
        verifier.needs(this);
        const entries = [
          { idx: 8, uri: `${issuer.trust.issuer}/status-lists/1` },
          { idx: REVOKED, uri: `${issuer.trust.issuer}/status-lists/1` },
          { idx: 16, uri: `${issuer.trust.issuer}/status-lists/1` },
          { idx: -1, uri: `${issuer.trust.issuer}/status-lists/1` },
          { idx: 0, uri: `${issuer.trust.issuer}/status-lists/of-another` },
          { idx: 0, uri: `${issuer.trust.issuer}/status-lists/altered` },
        ];
        const statuses = [...entries.map((entry) => ({ status_list: entry })), undefined];
        const tokens = await Promise.all(statuses.map((status) => issuer.token({ status })));
        const [good, ...others] = await verifier.verdicts(issuer.trust, tokens);
        expect(good).to.equal('ada');
        expect(others).to.deep.equal(others.map(() => REFUSED));
      });
    }
  });
}
