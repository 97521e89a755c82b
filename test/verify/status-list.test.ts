import { deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeStatusList } from '../../packages/verify/status-list.ts';
import { failureOf } from '../support/failure.ts';
import { vectors } from '../support/status-list-vectors.ts';

const encoded = (bytes: Uint8Array) => deflateSync(bytes).toString('base64url');

/** Statuses, packed as section 4.1 says. */
function packed(statuses: readonly number[], bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((statuses.length * bits) / 8));
  for (const [index, status] of statuses.entries()) {
    const at = index * bits;
    bytes[Math.floor(at / 8)] = (bytes[Math.floor(at / 8)] ?? 0) | (status << (at % 8));
  }
  return bytes;
}

describe('a status list', () => {
  it('has vectors of every kind to be held against', () => {
    expect(vectors.map(({ bits }) => bits)).to.include.members([1, 2]);
  });

  for (const { name, bits, lst, entries, nonzero } of vectors) {
    it(`is read as the draft reads it: ${name}`, async () => {
      const list = await decodeStatusList({ bits, lst });
      expect(list.size).to.equal(entries);
      const found: Record<string, number> = {};
      for (let index = 0; index < entries; index += 1) {
        const status = list.statusAt(index);
        if (status !== 0) found[index] = status ?? -1;
      }
      expect(found).to.deep.equal(nonzero);
    });
  }

  for (const bits of [1, 2, 4, 8]) {
    it(`gives back what was written into it, with ${bits} bits each`, async () => {
      const statuses = fc.array(fc.nat(2 ** bits - 1), { minLength: 1, maxLength: 100 });
      await fc.assert(
        fc.asyncProperty(statuses, async (written) => {
          const list = await decodeStatusList({ bits, lst: encoded(packed(written, bits)) });
          expect(written.map((_, index) => list.statusAt(index))).to.deep.equal(written);
        }),
      );
    });
  }

  it('ends with its last byte', async () => {
    const list = await decodeStatusList({ bits: 1, lst: encoded(Uint8Array.of(0, 128)) });
    expect([list.statusAt(14), list.statusAt(15)]).to.deep.equal([0, 1]);
    for (const index of [16, 17, 1e9, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, -1]) {
      expect(list.statusAt(index), String(index)).to.equal(undefined);
    }
  });

  it('is none with another number of bits, without a list, or with one that is damaged', async () => {
    const lst = encoded(Uint8Array.of(1, 2, 3));
    const claims: unknown[] = [
      ...[0, 3, 16, '1', -1, 1.5, null, undefined].map((bits) => ({ bits, lst })),
      ...['', '=', `${lst}=`, 'a b', 'x', lst.slice(0, -3), 1, null, undefined].map((text) => ({
        bits: 1,
        lst: text,
      })),
      { bits: 1, lst: gzipSync('x').toString('base64url') },
      { bits: 1, lst: Buffer.from('x'.repeat(10)).toString('base64url') },
      {},
      [],
      null,
      undefined,
      'list',
    ];
    for (const claim of claims) await failureOf(decodeStatusList(claim));
  });

  it('does not fill the memory: 16 MiB are the most that it may have', async () => {
    const most = 16 * 1024 * 1024;
    const list = await decodeStatusList({ bits: 8, lst: encoded(new Uint8Array(most)) });
    expect(list.size).to.equal(most);
    const error = await failureOf(
      decodeStatusList({ bits: 8, lst: encoded(new Uint8Array(most + 1)) }),
    );
    expect(error).to.include({ code: 'ERR_BUFFER_TOO_LARGE' });
  });
});
