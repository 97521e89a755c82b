import { expect } from 'chai';
import { explainClaims, explainHeader, isMilliseconds } from '../../tokens/explain.ts';

const only = (name: string, value: unknown) => {
  const [row] = explainClaims({ [name]: value });
  if (row === undefined) throw new Error('nothing is explained');
  return row;
};

describe('The explanation of a token', () => {
  it('says what a claim is and where it is defined', () => {
    expect(only('exp', 1_795_629_552)).to.deep.equal({
      name: 'exp',
      value: '1795629552',
      title: 'Expires',
      says: 'From then on nobody may accept it.',
      source: 'RFC 7519, section 4.1.4',
      time: 1_795_629_552_000,
      warning: undefined,
    });
    const [alg] = explainHeader({ alg: 'none' });
    expect(alg).to.include({ title: 'Algorithm', source: 'RFC 7515, section 4.1.1' });
    expect(alg?.warning).to.include('Without a signature');
  });

  it('says of a claim that nobody has defined that it is private', () => {
    for (const name of ['tenant', 'constructor', '__proto__', 'EXP']) {
      const [row] = explainClaims(Object.fromEntries([[name, 1]]));
      expect(row).to.include({ name, title: 'Private', source: undefined, time: undefined });
      expect(row?.says).to.match(/^Not defined by .* a private claim/);
    }
  });

  it('tells milliseconds from seconds', () => {
    for (const value of [1_795_629_552_000, 1e11, 8.64e15])
      expect(isMilliseconds(value)).to.equal(true);
    for (const value of [1_795_629_552, 99_999_999_999, 1e300, '1795629552000', null]) {
      expect(isMilliseconds(value)).to.equal(false);
    }
    expect(only('exp', 1_795_629_552_000).time).to.equal(1_795_629_552_000);
    expect(only('exp', 1_795_629_552_000).warning).to.match(
      /^In milliseconds: .* Divide it by 1000\.$/,
    );
  });

  it('has no time for what is none', () => {
    for (const value of ['1795629552', 1e300, -1e300, null, [1]]) {
      expect(only('iat', value).time).to.equal(undefined);
      expect(only('iat', value).warning).to.be.a('string');
    }
  });

  it('leaves out what is nested too deeply or too long', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 13; level += 1) deep = [deep];
    expect(only('a', deep).value).to.include('nested more than 12 levels deep');
    expect(only('a', 'x'.repeat(9000)).value).to.have.length(4001);
    expect(only('a', ['admin', 'user']).value).to.equal('["admin","user"]');
    const many = explainClaims(
      Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`n${at}`, at])),
    );
    expect(many).to.have.length(101);
    expect(many.at(-1)).to.include({ title: '50 more' });
  });
});
