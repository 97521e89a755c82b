import { expect } from 'chai';
import * as fc from 'fast-check';
import { cookieValues } from '../../packages/verify/cookies.ts';
import {
  cookieValue,
  hostName,
  isLocalhostName,
  isLoopbackAddress,
  localPath,
  wantsPage,
} from '../../core/http.ts';

const ORIGIN = 'https://login.example.org';

describe('a path to return to', () => {
  const paths = [
    '/',
    '/account',
    '/a/b?c=d&e=f#g',
    '/a//b',
    '/?next=//evil.example',
    '/%2f%2fevil.example',
    '/@evil.example',
    '/é?ü',
    '/a:b',
    '/http://evil.example',
  ];
  for (const path of paths) {
    it(`may be ${path}`, () => {
      const result = localPath(path);
      expect(new URL(result ?? '', ORIGIN).href).to.equal(new URL(path, ORIGIN).href);
    });
  }

  const refused: Record<string, unknown> = {
    nothing: '',
    'no path': 'account',
    'another site': 'https://evil.example',
    'another site, in short': '//evil.example',
    'another site with more slashes': '///evil.example',
    'a backslash': String.raw`/\evil.example`,
    'two backslashes': String.raw`\\evil.example`,
    'a backslash later on': String.raw`/a\..\..\\evil.example`,
    'a scheme without slashes': 'https:evil.example',
    'a script': 'javascript:alert(1)',
    'a script in capitals': 'JavaScript:alert(1)',
    'a document': 'data:text/html,x',
    'a tab': '/\t/evil.example',
    'a line feed': '/\n/evil.example',
    'a carriage return and a header': '/\r\nSet-Cookie: session=evil',
    'a NUL': '/\u0000/evil.example',
    'a delete character': '/\u007F',
    'a next line': '/\u0085/evil.example',
    'blanks in front': ' //evil.example',
    'a blank in front': ' /account',
    'dots that lead to two slashes': '/.//evil.example',
    'dots that go up to two slashes': '/a/..//evil.example',
    'encoded dots that go up to two slashes': '/a/%2e%2e//evil.example',
    'half a character': '/\uD800',
    'a text that is too long': `/${'x'.repeat(2048)}`,
    'a list': ['/account'],
    'an object': { toString: () => '/account' },
    'a number': 1,
    'no value': undefined,
  };
  for (const [kind, value] of Object.entries(refused)) {
    it(`may not be ${kind}`, () => expect(localPath(value)).to.be.undefined);
  }

  it('is nothing, or stays on this origin and fits a header, whatever the text', () => {
    const piece = fc.constantFrom(
      '/',
      '//',
      '\\',
      '.',
      '..',
      '%2f',
      '%5c',
      '%2e',
      '@',
      ':',
      '?',
      '#',
      '\t',
      '\n',
      '\r',
      '\u0000',
      ' ',
      'evil.example',
      'https:',
      'javascript:',
      'localhost',
      '[::1]',
      '：',
      '／',
      '\u2028',
      'é',
      '\uD800',
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`),
      fc.string({ unit: 'binary' }),
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
    );
    fc.assert(
      fc.property(text, (value) => {
        const path = localPath(value);
        if (path === undefined) return;
        expect(path).to.match(/^\/(?!\/)[!-~]*$/);
        for (const base of [ORIGIN, 'http://localhost:3000', `${ORIGIN}/auth/login`]) {
          expect(new URL(path, base).origin).to.equal(new URL(base).origin);
        }
        expect(localPath(path)).to.equal(path);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('an address on this machine', () => {
  const yes = [
    '127.0.0.1',
    '127.0.0.0',
    '127.1.2.3',
    '127.255.255.255',
    '::1',
    '::ffff:127.0.0.1',
    '::FFFF:127.9.9.9',
  ];
  const no = [
    undefined,
    '',
    'localhost',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '126.255.255.255',
    '12.7.0.1',
    '10.0.0.1',
    '192.168.0.1',
    '::2',
    '::ffff:10.0.0.1',
    '::ffff:128.0.0.1',
    '127.0.0.1.example.org',
    '127.0.0.1:80',
    '127.1',
    '127.0.0.256',
    '127.0.0.1 ',
    'fe80::1',
    '[::1]',
    '::1%lo',
    '2130706433',
    '0x7f.0.0.1',
  ];
  for (const address of yes)
    it(`is ${address}`, () => expect(isLoopbackAddress(address)).to.be.true);
  for (const address of no)
    it(`is not ${JSON.stringify(address)}`, () => expect(isLoopbackAddress(address)).to.be.false);
});

describe('a name of this machine', () => {
  const yes = [
    'localhost',
    'LOCALHOST',
    'app.localhost',
    'a.b.LocalHost',
    '127.0.0.1',
    '127.3.2.1',
    '::1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ];
  const no = [
    '',
    'example.org',
    'localhost.example.org',
    'localhost.',
    'notlocalhost',
    'local',
    '0.0.0.0',
    '[::]',
    '10.0.0.1',
    '127.0.0.1.nip.io',
    'localhost:3000',
    'localhost\u0000',
    '[::1',
    '[[::1]]',
  ];
  for (const name of yes) it(`is ${name}`, () => expect(isLocalhostName(name)).to.be.true);
  for (const name of no)
    it(`is not ${JSON.stringify(name)}`, () => expect(isLocalhostName(name)).to.be.false);
});

describe('the host of a Host header', () => {
  const hosts = {
    localhost: 'localhost',
    'localhost:3000': 'localhost',
    'Login.Example.org:443': 'Login.Example.org',
    '127.0.0.1:3000': '127.0.0.1',
    '[::1]': '[::1]',
    '[::1]:3000': '[::1]',
    '[::ffff:127.0.0.1]:1': '[::ffff:127.0.0.1]',
  };
  for (const [header, host] of Object.entries(hosts)) {
    it(`${header} is ${host}`, () => expect(hostName(header)).to.equal(host));
  }

  const refused = [
    undefined,
    '',
    ':3000',
    'a b',
    'localhost:',
    'localhost:x',
    'localhost:123456',
    'localhost:1:2',
    '::1',
    '[::1',
    '[localhost]',
    'localhost/evil',
    'me@localhost',
    'localhost,evil.example',
    'localhost\n',
    'localhost ',
    'evil.example#localhost',
    String.raw`evil.example\localhost`,
    'é',
  ];
  for (const header of refused) {
    it(`is none in ${JSON.stringify(header)}`, () => expect(hostName(header)).to.be.undefined);
  }
});

describe('a caller', () => {
  it('wants a page when it accepts HTML, as browsers do, and JSON otherwise', () => {
    expect(wantsPage('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8')).to.be.true;
    for (const accept of [undefined, '', '*/*', 'application/json', 'text/plain'])
      expect(wantsPage(accept)).to.be.false;
  });
});

describe('the value of a cookie', () => {
  it('is found at once, however many blanks are anywhere', () => {
    const blanks = ' \t'.repeat(500_000); // the square of that would take minutes
    for (const [header, value] of [
      [`session=x${blanks}y`, `x${blanks}y`],
      [`session=x${blanks}`, 'x'],
      [`a=1;${blanks}session=x`, 'x'],
      [`${blanks}session=${blanks}`, ''],
    ] as const) {
      expect(cookieValue(header, 'session') === value).to.equal(true);
      expect(cookieValues(header, 'session')[0] === (value || undefined)).to.equal(true);
    }
  });
});
