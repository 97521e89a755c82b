import { expect } from 'chai';
import * as fc from 'fast-check';
import { bearerToken } from '#verify';

describe('the Authorization header', () => {
  it('gives the Bearer token in it, the scheme in any case', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
      expect(bearerToken(`${scheme} abc.def-_~+/==`)).to.deep.equal({ token: 'abc.def-_~+/==' });
    }
    expect(bearerToken('Bearer   abc  ')).to.deep.equal({ token: 'abc' });
  });

  it('has no Bearer credentials when it is not there or speaks of another scheme', () => {
    for (const header of [
      undefined,
      '',
      'Basic YTpi',
      'Bearerabc',
      'Bearer2 abc',
      'Digest x',
      ' Bearer abc',
      'abc',
    ]) {
      expect(bearerToken(header), header).to.equal('none');
    }
  });

  it('is malformed when there is not exactly one token', () => {
    for (const header of [
      'Bearer',
      'Bearer ',
      'Bearer a b',
      'Bearer a,b',
      'Bearer "a"',
      'Bearer a=b',
      'Bearer é',
      'bearer a, Basic b',
      'Bearer a\n',
    ]) {
      expect(bearerToken(header), header).to.equal('malformed');
    }
  });

  it('is understood or not, but never breaks anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const result = bearerToken(`Bearer ${text}`);
        if (typeof result === 'object') expect(text.trim()).to.equal(result.token);
      }),
    );
  });
});
