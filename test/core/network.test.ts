import { expect } from 'chai';
import * as fc from 'fast-check';
import { networksOf } from '../../core/network.ts';

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
      expect(networksOf(address).network).to.equal(network);
    });
  }

  it('is in a /48 with an IPv6 address, and in nothing larger with any other', () => {
    expect(networksOf('2001:db8:1:2::1').block).to.equal('2001:db8:1::/48');
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', 'unknown', '']) {
      expect(networksOf(address), address).to.not.have.property('block');
    }
  });

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
        const here = networksOf(spell([...network, ...host], true));
        expect(networksOf(spell([...network, ...other], false))).to.deep.equal(here);
        const there = networksOf(spell([...elsewhere, ...host], false));
        const shared = (groups: number) =>
          spell(network.slice(0, groups), true) === spell(elsewhere.slice(0, groups), true);
        expect(there.network === here.network).to.equal(shared(4));
        expect(there.block === here.block).to.equal(shared(3));
      }),
    );
  });

  it('is found for any text, without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof networksOf(text).network === 'string'));
  });
});
