import { expect } from 'chai';
import { sign } from 'cookie-signature';
import { cookieValue } from '../../core/http.ts';
import { sessionCookieReader } from '../../sessions/session-cookie.ts';

const SECRETS = ['the newest secret, 32 bytes long ok', 'an older secret that verifies still'];
const signed = (id: string, secret = SECRETS[0] ?? '') =>
  encodeURIComponent(`s:${sign(id, secret)}`);

describe('the id in a session cookie', () => {
  const read = sessionCookieReader('__Host-session', SECRETS);

  it('is read if any of the secrets signed it', () => {
    for (const secret of SECRETS) {
      expect(read(`a=b; __Host-session=${signed('id', secret)}; c=d`)).to.equal('id');
    }
    expect(read(`__Host-session=${signed('id', 'somebody else’s')}`)).to.equal(undefined);
  });

  it('is not read from what is unsigned, cut off, altered or no escape', () => {
    const good = signed('id');
    for (const value of [
      '',
      'id',
      's%3Aid',
      's%3Aid.',
      good.slice(0, -1),
      `${good}x`,
      '%',
      '%zz',
      's%3A',
    ]) {
      expect(read(`__Host-session=${value}`), value).to.equal(undefined);
    }
    expect(read(undefined)).to.equal(undefined);
    expect(read('')).to.equal(undefined);
  });

  it('is not read from a cookie whose name only looks the same: a sister site could set that one', () => {
    for (const before of ['\u00a0', '\u3000', '\ufeff', '\v', '\f', 'x', '__Secure-']) {
      expect(read(`${before}__Host-session=${signed('planted')}`), before).to.equal(undefined);
      const both = `${before}__Host-session=${signed('planted')}; __Host-session=${signed('own')}`;
      expect(read(both), before).to.equal('own');
    }
  });

  it('is that of the first of two, as for express-session', () => {
    expect(read(`__Host-session=${signed('1')}; __Host-session=${signed('2')}`)).to.equal('1');
  });
});

describe('cookieValue', () => {
  it('strips blanks and tabs and nothing else', () => {
    expect(cookieValue('a=1; \t token=x.y.z \t; b=2', 'token')).to.equal('x.y.z');
    expect(cookieValue('token=\u00a0x', 'token')).to.equal('\u00a0x');
    expect(cookieValue('token', 'token')).to.equal(undefined);
  });
});
