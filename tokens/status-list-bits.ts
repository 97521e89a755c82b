import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

const compress = promisify(deflate);

/** A list of one bit an entry, the first one in the least significant bit (section 4 of the draft). */
export function statusBits(size: number, revoked: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(size / 8));
  for (const index of revoked) {
    const byte = index >> 3;
    bits[byte] = (bits[byte] ?? 0) | (1 << (index & 7));
  }
  return bits;
}

/** `lst`: in the zlib format (RFC 1950), base64url. Compressed on another thread. */
export async function compressedList(bits: Uint8Array): Promise<string> {
  return (await compress(bits, { level: 9 })).toString('base64url');
}
