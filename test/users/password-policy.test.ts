import { expect } from 'chai';
import * as fc from 'fast-check';
import { passwordPolicy, passwordProblem } from '../../users/password-policy.ts';

const LENGTH = /at least 8 characters; 15 or more are recommended/;
const TOO_LONG = /at most 1024 characters/;
const COMMON = /attackers try first/;
const OWN = /your own username, e-mail address or name/;

describe('security 20: the password policy', () => {
  const refuses = (password: string, reason: RegExp, own: (string | null)[] = []) =>
    expect(passwordProblem(password, own), password.slice(0, 40)).to.match(reason);
  const takes = (password: string, own: (string | null)[] = []) =>
    expect(passwordProblem(password, own), password.slice(0, 40)).to.be.undefined;

  it('wants 8 characters', () => {
    refuses('', LENGTH);
    refuses('qzvwxk7', LENGTH);
    takes('qzvwxk7m');
  });

  it('allows 1,024 characters', () => {
    takes('qzvwxk7m'.repeat(128));
    refuses('qzvwxk7m'.repeat(128) + 'q', TOO_LONG);
  });

  it('counts what people see as characters, composed: not bytes, not UTF-16', () => {
    refuses('🦄🐙🦊🐻🐼🐸🐵', LENGTH);
    takes('🦄🐙🦊🐻🐼🐸🐵🐔');
    takes('🦄🐙'.repeat(512));
    refuses('🦄🐙'.repeat(512) + 'x', TOO_LONG);
    refuses('e\u0301a\u0300o\u0302u\u0308', LENGTH);
    refuses('a\u0301b\u0301cdefg'.normalize('NFD').slice(0, 8), LENGTH);
  });

  it('refuses the ones that everybody tries first, in any case', () => {
    for (const password of [
      'password',
      'PASSWORD',
      'Password1',
      '12345678',
      '123456789',
      'qwertyuiop',
      'iloveyou',
      'letmein1',
      'ｐａｓｓｗｏｒｄ',
    ]) {
      refuses(password, COMMON);
    }
  });

  it('refuses one character written often', () => {
    for (const password of ['aaaaaaaa', 'AaAaAaAaAa', '        ', '🦄'.repeat(20)])
      refuses(password, COMMON);
  });

  it("refuses the user's own username, address and name, in any case and Unicode form", () => {
    const own = ['ada.lovelace', 'countess.ada@example.org', 'Ada Lovelace', null];
    for (const password of [
      'ada.lovelace',
      'Ada.LOVELACE',
      'COUNTESS.ada@example.org',
      'Countess.Ada',
      'ada lovelace',
      'ADA LOVELACE',
      'Ａｄａ Ｌｏｖｅｌａｃｅ',
    ]) {
      refuses(password, OWN, own);
    }
    takes('ada.lovelace was here', own);
    takes('ada.lovelace', ['grace', null]);
  });

  it('refuses the names of the service and of its host, with or without digits around them', () => {
    const problem = passwordPolicy('https://login.umbrella-repairs.example:8443');
    for (const password of [
      'coatcheck',
      'Coatcheck2026!',
      '1coatcheck1',
      'umbrella-repairs',
      'login123456',
      'LOGIN.umbrella-repairs.EXAMPLE',
    ]) {
      expect(problem(password, []), password).to.match(/a name of this service/);
    }
    for (const password of ['coatcheck at the door', 'my coatcheck', 'umbrella repairs']) {
      expect(problem(password, []), password).to.be.undefined;
    }
    expect(passwordPolicy('http://127.0.0.1:3000')('9471038265', [])).to.be.undefined;
  });

  it('asks for no digits, capitals or signs, and forbids none', () => {
    for (const password of [
      'gull stole umbrella',
      'zmvqpwkxnb',
      '9471038265',
      'ZMVQPWKXNB',
      '!?"§$%&/()=',
      'пароль для кота',
      '我的伞被海鸥偷走了',
      'with a line\nand\ttab',
      "' OR '1'='1",
    ]) {
      takes(password);
    }
  });

  it('takes whatever is long and random', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 40, maxLength: 300 }), (password) => {
        fc.pre(new Set(password).size > 10 && !password.includes('\0'));
        takes(password);
      }),
    );
  });

  it('refuses what is no text, and could not be sent to log in with', () => {
    expect(passwordProblem('with\u0000nul in it', [])).to.include('text');
    expect(passwordProblem('half of an emoji \uD83D', [])).to.include('text');
  });

  it('never repeats the password in what it says', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('X', 'Y', 'Z', 'Q', '7'), minLength: 3, maxLength: 7 }),
        (password) => {
          expect(passwordProblem(password, [])).to.be.a('string').that.does.not.include(password);
        },
      ),
    );
    expect(passwordProblem('lovelace', ['Lovelace'])).not.to.include('lovelace');
  });
});
