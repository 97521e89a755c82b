import { expect } from 'chai';
import * as fc from 'fast-check';
import { networkOf } from '../../core/network.ts';

describe('security 13: the network of an address', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:4711', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]:4711', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['unknown', 'unknown'],
    ['', ''],
  ] as const) {
    it(`${address || 'that nobody knows'} is ${network || 'its own'}`, () => {
      expect(networkOf(address)).to.equal(network);
    });
  }

  it('is the same for all addresses of a /64, however they are written, and for no others', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const spell = (groups: number[], long: boolean) =>
      groups
        .map((one) =>
          one
            .toString(16)
            .padStart(long ? 4 : 1, '0')
            .toUpperCase(),
        )
        .join(':');
    const four = fc.tuple(fc.integer({ min: 1, max: 0xffff }), group, group, group);
    fc.assert(
      fc.property(four, four, four, four, (network, host, other, elsewhere) => {
        const here = networkOf(spell([...network, ...host], true));
        expect(networkOf(spell([...network, ...other], false))).to.equal(here);
        const same = spell(network, true) === spell(elsewhere, true);
        expect(networkOf(spell([...elsewhere, ...host], false)) === here).to.equal(same);
      }),
    );
  });

  it('is found for any text, without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof networkOf(text) === 'string'));
  });
});
