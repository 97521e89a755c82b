import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { isObject } from './json.ts';

/** Bytes that a list may have: 134 million tokens of one bit each. */
const LIMIT = 16 * 1024 * 1024;

const inflated = promisify(inflate);

/** One status for each of many tokens (draft-ietf-oauth-status-list-21, section 4.1). */
export class StatusList {
  readonly #bytes: Uint8Array;
  readonly #bits: number;
  /** How many statuses there are; the last byte may be filled up with some that belong to no token. */
  readonly size: number;

  /** @param bits 1, 2, 4 or 8 for each status */
  constructor(bytes: Uint8Array, bits: number) {
    this.#bytes = bytes;
    this.#bits = bits;
    this.size = (bytes.length * 8) / bits;
  }

  /** Status types are in section 7: 0 valid, 1 invalid, 2 suspended. @returns `undefined` outside the list */
  statusAt(index: number): number | undefined {
    const at = index * this.#bits;
    const byte = this.#bytes[Math.floor(at / 8)];
    // the status of index 0 is in the lowest bits of the first byte
    return byte === undefined ? undefined : (byte >> (at % 8)) & ((1 << this.#bits) - 1);
  }
}

/**
 * Reads the claim `status_list` of a signed list (section 4.2).
 * @param limit bytes that it may have when inflated. Default 16 MiB.
 * @throws {Error} for what is none
 */
export async function decodeStatusList(claim: unknown, limit = LIMIT): Promise<StatusList> {
  const { bits, lst } = isObject(claim) ? claim : {};
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) {
    throw new Error('a status has 1, 2, 4 or 8 bits');
  }
  if (typeof lst !== 'string' || !/^[\w-]+$/.test(lst)) throw new Error('there is no list');
  const bytes = await inflated(Buffer.from(lst, 'base64url'), { maxOutputLength: limit });
  return new StatusList(bytes, bits);
}
