import { expect } from 'chai';
import * as fc from 'fast-check';
import { canonical } from '../../core/text.ts';
import { usernameProblem } from '../../users/username.ts';

const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

describe('a name in its canonical form', () => {
  it('is itself canonical', () => {
    fc.assert(
      fc.property(text, (name) => {
        expect(canonical(canonical(name))).to.equal(canonical(name));
      }),
      { numRuns: 1000 },
    );
  });

  it('is itself canonical for every character there is', () => {
    for (let code = 0; code <= 0x10_ffff; code += 1) {
      const once = canonical(String.fromCodePoint(code));
      if (canonical(once) !== once) expect.fail(`U+${code.toString(16)}`);
    }
  });

  it('is the same for upper and lower case of every character there is', () => {
    for (let code = 0; code <= 0x10_ffff; code += 1) {
      const one = String.fromCodePoint(code).normalize('NFKC');
      const forms = new Set([one, one.toUpperCase(), one.toLowerCase()].map(canonical));
      if (forms.size !== 1) expect.fail(`U+${code.toString(16)}: ${[...forms].join(' ')}`);
    }
  });

  it('is the same for case variants of a username', () => {
    fc.assert(
      fc.property(text, (name) => {
        fc.pre(usernameProblem(name) === undefined);
        const normal = name.normalize('NFKC');
        for (const variant of [normal.toUpperCase(), normal.toLowerCase()]) {
          expect(canonical(variant)).to.equal(canonical(name));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same for every normalisation form', () => {
    fc.assert(
      fc.property(text, (name) => {
        for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD']) {
          expect(canonical(name.normalize(form))).to.equal(canonical(name));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('brings together what readers take for one name', () => {
    for (const [one, other] of [
      ['STRASSE', 'straße'],
      ['ﬁsh', 'FISH'],
      ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
      ['ⅷ', 'VIII'],
      ['K', 'k'],
    ] as const) {
      expect(canonical(one)).to.equal(canonical(other));
    }
  });

  it('keeps different names apart', () => {
    expect(new Set(['ada', 'adа', 'adá', 'add', 'ad'].map(canonical)).size).to.equal(5);
  });
});
