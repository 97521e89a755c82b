import { expect } from 'chai';
import * as fc from 'fast-check';
import { endOf, lastSeenInterval } from '../../sessions/lifetime.ts';

describe('the lifetime of a session', () => {
  it('is idle timeout after the last use, and never beyond the absolute end', () => {
    const lifetime = { idleTimeout: 60, lifetime: 100 };
    expect(endOf(lifetime, 1000, 1000)).to.deep.equal({
      idleExpiresAt: 61_000,
      expiresAt: 101_000,
    });
    expect(endOf(lifetime, 1000, 41_000)).to.deep.equal({
      idleExpiresAt: 101_000,
      expiresAt: 101_000,
    });
    expect(endOf(lifetime, 1000, 99_000)).to.deep.equal({
      idleExpiresAt: 101_000,
      expiresAt: 101_000,
    });
  });

  it('is noted often enough that a session in use never idles out, and at most once a minute where it can', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 31_536_000 }), (idleTimeout) => {
        const interval = lastSeenInterval({ idleTimeout, lifetime: idleTimeout });
        expect(interval).to.be.at.most(idleTimeout * 100);
        if (idleTimeout >= 600) expect(interval).to.equal(60_000);
      }),
    );
  });
});
