import { expect } from 'chai';
import { isoTime, numericDate, systemClock } from '../../core/clock.ts';

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
});
