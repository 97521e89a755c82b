import { deflateSync } from 'node:zlib';
import type { JsonObject } from '../json.ts';

/** Was revoked from the beginning. */
export const REVOKED_INDEX = 0;

/** One bit for each token (draft-ietf-oauth-status-list-21, section 4.1). */
export class TestStatusList {
  readonly #bytes = Buffer.alloc(2 ** 17);
  #next = REVOKED_INDEX + 1;

  constructor() {
    this.revoke(REVOKED_INDEX);
  }

  allocate(): number {
    if (this.#next === this.#bytes.length * 8) throw new RangeError('the status list is full');
    return this.#next++;
  }

  revoke(index: number): void {
    const byte = index >> 3;
    this.#bytes.writeUInt8(this.#bytes.readUInt8(byte) | (1 << (index % 8)), byte);
  }

  /** The claim `status_list`. */
  claim(): JsonObject {
    return { bits: 1, lst: deflateSync(this.#bytes).toString('base64url') };
  }
}
