import { expect } from 'chai';
import * as fc from 'fast-check';
import { BROWSER_MAP, OS_MAP } from 'bowser';
import { deviceInWords } from '../../routes/device.ts';

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const IPHONE = '(iPhone; CPU iPhone OS 17_5 like Mac OS X)';

describe('A User-Agent in words', () => {
  const known: Record<string, string> = {
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/128.0.0.0 Safari/537.36`]:
      'Chrome on Windows',
    [`Mozilla/5.0 (Windows NT 10.0) ${WEBKIT} Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0`]:
      'Microsoft Edge on Windows',
    'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0': 'Firefox on Linux',
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/128.0.0.0 Safari/537.36`]:
      'Chrome on Chrome OS',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15':
      'Safari on macOS',
    [`Mozilla/5.0 ${IPHONE} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1`]:
      'Safari on iPhone',
    'Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1':
      'Safari on iPad',
    [`Mozilla/5.0 (Linux; Android 14; Pixel 8) ${WEBKIT} Chrome/128.0.0.0 Mobile Safari/537.36`]:
      'Chrome on Android',
    [`Mozilla/5.0 (Linux; Android 13; SM-S918B) ${WEBKIT} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36`]:
      'Samsung Internet on Android',
    'Mozilla/5.0 (X11; OpenBSD amd64; rv:109.0) Gecko/20100101 Firefox/115.0': 'Firefox',
    'OrdersApp/1.2 (iPhone; iOS 17.1)': 'Unknown app on iPhone',
  };
  for (const [userAgent, words] of Object.entries(known)) {
    it(`is ${words}`, () => expect(deviceInWords(userAgent)).to.equal(words));
  }

  it('is "Unknown device" where it is absent or says nothing that is known', () => {
    const unknown = [null, '', ' ', 'node', 'curl/8.5.0', 'Mozilla/5.0', '\u0000', '\u202e', '/ /'];
    for (const userAgent of [...unknown, 'constructor/1 x', '__proto__/1 x', 'toString/1 x']) {
      expect(deviceInWords(userAgent), String(userAgent)).to.equal('Unknown device');
    }
  });

  it('has no word in it that the caller has chosen', () => {
    const sentence = 'Your administrator: keep this one';
    for (const userAgent of [
      `${sentence}/1.0 x`,
      `<script>alert(1)</script>/1 x`,
      `${sentence}/1 (Windows NT 10.0)`,
      `Mozilla/5.0 (${sentence}) \u202e/1 `,
    ]) {
      const words = deviceInWords(userAgent);
      expect(words).to.be.oneOf(['Unknown device', 'Unknown app on Windows']);
    }
  });

  it('is made of known names only, whatever the header is', () => {
    const names = [...Object.values(BROWSER_MAP), 'Unknown app', 'Unknown device'].map((name) =>
      name.replace(/ for Android$/, ''),
    );
    const systems = [...Object.values(OS_MAP), 'iPhone', 'iPad'];
    const words = new Set(names.flatMap((n) => [n, ...systems.map((s) => `${n} on ${s}`)]));
    const pieces = fc.constantFrom(
      'Mozilla/5.0 ',
      '(',
      ')',
      '; ',
      '/',
      'Windows NT 10.0',
      'Android',
      'iPhone',
      'Linux',
      'Version/',
      'Chrome/',
      'Safari/',
      'Firefox/',
      'like Gecko',
      'Opera',
      'MSIE ',
      '1.',
      ' ',
      '\u202e',
      '\u0000',
      '<b>',
      '"',
      'a/',
      '((',
      'é',
    );
    const headers = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 512 }),
      fc.array(pieces, { maxLength: 60 }).map((all) => all.join('').slice(0, 512)),
      pieces.map((piece) => piece.repeat(512).slice(0, 512)),
    );
    fc.assert(
      fc.property(headers, (header) => words.has(deviceInWords(header))),
      { numRuns: 2000 },
    );
  });
});
