import { inflateSync } from 'node:zlib';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { compressedList, statusBits } from '../../tokens/status-list-bits.ts';
import { vectors } from '../support/status-list-vectors.ts';

const inflated = (lst: string) => inflateSync(Buffer.from(lst, 'base64url'));

/** The bit of an entry, read as section 4.1 of the draft tells it: 8 of them a byte, counted from the right. */
const bitOf = (bytes: Uint8Array, index: number) =>
  Number((bytes[Math.floor(index / 8)] ?? 0).toString(2).padStart(8, '0')[7 - (index % 8)]);

describe('the bits of a status list', () => {
  for (const { name, lst, entries, nonzero } of vectors.filter(({ bits }) => bits === 1)) {
    it(`are those of the draft's test vector: ${name}`, async () => {
      const bits = statusBits(entries, Object.keys(nonzero).map(Number));
      expect(Buffer.from(bits).equals(inflated(lst))).to.equal(true);
      expect(inflated(await compressedList(bits)).equals(bits)).to.equal(true);
    });
  }

  it('are set for the revoked entries and for no other', async () => {
    const lists = fc
      .integer({ min: 1, max: 300 })
      .chain((size) => fc.tuple(fc.constant(size), fc.uniqueArray(fc.nat({ max: size - 1 }))));
    await fc.assert(
      fc.asyncProperty(lists, async ([size, revoked]) => {
        const bytes = inflated(await compressedList(statusBits(size, revoked)));
        expect(bytes.length).to.equal(Math.ceil(size / 8));
        const all = Array.from({ length: bytes.length * 8 }, (_, index) => index);
        expect(all.filter((index) => bitOf(bytes, index) === 1)).to.have.members(revoked);
      }),
    );
  });
});
