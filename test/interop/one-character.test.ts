import { expect } from 'chai';
import { type Coatcheck, startCoatcheck } from './coatcheck.ts';
import { REFUSED, VERIFIERS } from './verifiers.ts';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

for (const algorithm of ['HS256', 'ES256']) {
  describe(`docs/verify, one character of a token that was signed with ${algorithm}`, function () {
    this.timeout(120_000);
    let coatcheck: Coatcheck;
    let token: string;

    before(async () => {
      coatcheck = await startCoatcheck(algorithm);
      token = await coatcheck.client.token();
    });
    after(() => coatcheck[Symbol.asyncDispose]());

    for (const verifier of VERIFIERS) {
      /**
       * 43 characters hold 258 bits, a signature of HS256 has 256; of ES256 it is 516 and 512. Libraries drop what is
       * left over, or skip what is no base64url: other spellings of the same signature pass, of what was signed none.
       */
      it(`cannot be changed before ${verifier.name}, unless it means nothing`, async function () {
        verifier.needs(this);
        const all = changed(token);
        const [good, ...verdicts] = await verifier.verdicts(coatcheck.trust, [token, ...all]);
        expect(good).to.equal('ada');
        const accepted = all.filter((_, index) => verdicts[index] !== REFUSED);
        expect(accepted.map(meaning)).to.deep.equal(accepted.map(() => meaning(token)));
      });
    }
  });
}

/** What was signed, and the bytes of the signature. Padding has no place in a token, but no meaning either. */
function meaning(token: string): string {
  const [header = '', body = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url').toString('hex');
  return [header.replace(/=+$/, ''), body.replace(/=+$/, ''), bytes].join(' ');
}

/** Each place with another character; the last of each part with every other, since not all its bits count. */
function changed(token: string): string[] {
  const ends = new Set([token.indexOf('.') - 1, token.lastIndexOf('.') - 1, token.length - 1]);
  return token.split('').flatMap((character, at) => {
    const others = BASE64URL.split('').filter((other) => other !== character);
    const more = ['', '*', `${character}*`, `${character}=`, `${character}A`];
    const chosen = ends.has(at) ? [...others, ...more] : ['*', others[at % 63] ?? ''];
    return chosen.map((other) => token.slice(0, at) + other + token.slice(at + 1));
  });
}
