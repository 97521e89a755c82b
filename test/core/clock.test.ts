import { expect } from 'chai';
import { isoTime, numericDate, parseTime, systemClock } from '../../core/clock.ts';

describe('the time', () => {
  it('is in milliseconds, of today', () => {
    expect(systemClock.now()).to.be.closeTo(new Date().getTime(), 1000);
  });

  it('is rounded down to seconds for a NumericDate', () => {
    expect([0, 999, 1000, 1999].map(numericDate)).to.deep.equal([0, 0, 1, 1]);
  });

  it('is ISO 8601 in UTC for people', () => {
    expect(isoTime(0)).to.equal('1970-01-01T00:00:00.000Z');
  });

  const understood: Record<string, string> = {
    '2026-11-25': '2026-11-25T00:00:00.000Z',
    '2024-02-29': '2024-02-29T00:00:00.000Z',
    '2026-11-25T14:30Z': '2026-11-25T14:30:00.000Z',
    '2026-11-25T00:30:15+01:00': '2026-11-24T23:30:15.000Z',
    '2026-11-25T14:30:15.5-12:00': '2026-11-26T02:30:15.500Z',
  };
  for (const [text, iso] of Object.entries(understood)) {
    it(`understands ${text}`, () => {
      expect(isoTime(parseTime(text) ?? 0)).to.equal(iso);
    });
  }

  for (const text of [
    '',
    'yesterday',
    '1764081000',
    '2026-11',
    '2026-13-01',
    '2026-02-29',
    '2026-02-30T10:00Z',
    '2026-11-25T14:30',
    '2026-11-25T25:00Z',
    '2026-11-25 14:30Z',
    ' 2026-11-25',
    '2026-11-25\n',
    '+002026-11-25',
  ]) {
    it(`does not understand ${JSON.stringify(text)}`, () => {
      expect(parseTime(text)).to.equal(undefined);
    });
  }
});
