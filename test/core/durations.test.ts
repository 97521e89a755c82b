import { expect } from 'chai';
import * as fc from 'fast-check';
import { durationInWords, fromNow, parseDuration } from '../../core/durations.ts';

describe('a duration', () => {
  it('is a whole number and a unit, read in seconds', () => {
    const durations = {
      '1s': 1,
      '90s': 90,
      '15m': 900,
      '6h': 21_600,
      '7d': 604_800,
      '365d': 31_536_000,
    };
    for (const [text, seconds] of Object.entries(durations))
      expect(parseDuration(text), text).to.equal(seconds);
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      '6',
      '21600',
      'h',
      '0s',
      '00s',
      '06h',
      '-1h',
      '+1h',
      '1.5h',
      '1e3s',
      '0x1s',
      '6 h',
      ' 6h',
      '6h ',
      '6h\n',
      '6H',
      '1w',
      '1y',
      '1ms',
      '6h30m',
      '1000000000s',
      '٣h',
      'Infinityh',
    ]) {
      expect(parseDuration(text), JSON.stringify(text)).to.be.undefined;
    }
  });

  it('is never negative, broken or without a unit, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,12}[smhd]?$/)), (text) => {
        const seconds = parseDuration(text);
        if (seconds === undefined) return;
        expect(seconds).to.satisfy(Number.isSafeInteger).and.to.be.greaterThan(0);
        expect(text).to.match(/[smhd]$/);
      }),
    );
  });

  it('is said in the largest unit that is whole', () => {
    const words: [number, string][] = [
      [1, '1 second'],
      [59, '59 seconds'],
      [60, '1 minute'],
      [90, '90 seconds'],
      [3600, '1 hour'],
      [5400, '90 minutes'],
      [21_600, '6 hours'],
      [86_400, '1 day'],
      [90_000, '25 hours'],
      [604_800, '7 days'],
    ];
    for (const [seconds, text] of words) expect(durationInWords(seconds)).to.equal(text);
  });

  it('say how far away a moment is, in the two largest units', () => {
    const words: [number, string][] = [
      [0, 'now'],
      [-0.9, 'now'],
      [1, 'in 1 second'],
      [-1.9, '1 second ago'],
      [-180, '3 minutes ago'],
      [-184, '3 minutes 4 seconds ago'],
      [3600, 'in 1 hour'],
      [3601, 'in 1 hour'],
      [21_599.5, 'in 5 hours 59 minutes'],
      [-90_000, '1 day 1 hour ago'],
      [31_536_000 + 86_400, 'in 1 year 1 day'],
    ];
    for (const [seconds, text] of words) expect(fromNow(seconds)).to.equal(text);
  });
});
