import { expect } from 'chai';
import { hmac } from '../../../commands/probe/jws.ts';
import { givenToken } from '../../../commands/probe/given.ts';
import { header } from '../../../commands/probe/options.ts';
import { failureOf } from '../../support/failure.ts';

describe('the options of a probe', () => {
  it('take headers that can be sent, and say what is wrong with others', () => {
    expect(header('X-Key:two', header('x-key: one', {}))).to.deep.equal({
      'x-key': ['one', 'two'],
    });
    expect(header('constructor: x', {})).to.deep.equal({ constructor: 'x' });
    const wrong: Record<string, string> = {
      'no colon': '"Name: value"',
      'a: b\nc: d': '"Name: value"',
      'Authorization: x': 'sets authorization itself',
      'Trailer: x': 'nothing after a body',
      'HOST: b': 'only one host',
    };
    for (const [line, sentence] of Object.entries(wrong)) {
      expect(() => header(line, { host: 'a' }), line).to.throw(sentence);
    }
  });

  it('take a token that a service could have signed, and say why another is none', async () => {
    const good = hmac({ alg: 'HS512' }, {}, 'x');
    expect(await givenToken({ token: `Bearer ${good}` })).to.equal(good);
    expect(await givenToken({ issue: true })).to.equal(undefined);
    const wrong: Record<string, string> = {
      umbrella: 'three parts of base64url',
      'aaaa.bbbb.cccc': 'is not text, so this is no JWT',
      [`${good.slice(0, good.lastIndexOf('.'))}.x`]: 'its signature is not one byte long',
      [hmac({ alg: 'HS999' }, {}, 'x')]: 'there is no algorithm HS999',
      [hmac({ alg: { toString: 1 } }, {}, 'x')]: 'its header has no alg',
      [hmac({}, {}, 'x')]: 'its header has no alg',
    };
    for (const [token, sentence] of Object.entries(wrong)) {
      expect((await failureOf(givenToken({ token }))).message).to.include(sentence);
    }
  });
});
