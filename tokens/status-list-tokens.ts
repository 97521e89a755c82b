import jsonwebtoken from 'jsonwebtoken';
import { type Clock, numericDate } from '../core/clock.ts';
import type { KeyRing, SigningKey } from './key-ring.ts';
import { compressedList, statusBits } from './status-list-bits.ts';
import type { StatusLists } from './status-lists.ts';

export interface StatusListTokenOptions {
  readonly statusLists: StatusLists;
  readonly keyRing: Pick<KeyRing, 'refresh' | 'signing'>;
  readonly clock: Clock;
  readonly issuer: string;
  /** Where the list of that id is served: `sub`. */
  readonly uri: (list: string) => string;
}

/** A signed list. Times are NumericDate. */
export interface StatusListToken {
  readonly jwt: string;
  /** How long caches may keep it from now on, in seconds. */
  readonly maxAge: number;
}

export interface StatusListTokens {
  /**
   * The list as it is now, signed (section 5.1 of the draft).
   * @returns nothing where there is no such list
   */
  of(list: string): Promise<StatusListToken | undefined>;
}

/** How long those who check tokens may go by a copy of a list before they ask again, in seconds. */
const TTL = 60;

/**
 * How long before that caches on the way have to ask again, in seconds: whoever checks tokens goes by what comes for at
 * least five seconds, however old it is, so as not to ask all the time.
 */
const CACHES_END = 5;

/** How long they may do so when they cannot ask, in seconds. */
export const STATUS_LIST_LIFETIME = 300;

/** How long one signature is handed out, in seconds. */
const SIGNATURE_REUSE = 10;

interface Compressed {
  readonly version: number;
  readonly lst: Promise<string>;
}

interface Signed {
  readonly version: number;
  readonly kid: string;
  readonly iat: number;
  readonly jwt: string;
}

/**
 * Whatever process revokes something, the next answer of every process has it: each asks for the version first. Only
 * what depends on nothing but the version is kept.
 */
export function createStatusListTokens(options: StatusListTokenOptions): StatusListTokens {
  const { statusLists, keyRing, clock, issuer } = options;
  const compressed = new Map<string, Compressed>();
  const signed = new Map<string, Signed>();

  function compressedAt(list: string, version: number): Promise<string> {
    const before = compressed.get(list);
    if (before?.version === version) return before.lst;
    const now = { version, lst: compress(list) };
    compressed.set(list, now);
    now.lst.catch(() => compressed.get(list) === now && compressed.delete(list)); // the next request tries again
    return now.lst;
  }

  async function compress(list: string): Promise<string> {
    return compressedList(statusBits(statusLists.size, await statusLists.revokedIndices(list)));
  }

  function sign(list: string, lst: string, iat: number, { algorithm, kid, key }: SigningKey) {
    const claims = {
      iss: issuer,
      sub: options.uri(list),
      iat,
      exp: iat + STATUS_LIST_LIFETIME,
      ttl: TTL,
      status_list: { bits: 1, lst },
    };
    const header = { alg: algorithm, typ: 'statuslist+jwt', kid };
    return jsonwebtoken.sign(claims, key, { header, algorithm });
  }

  return {
    async of(list) {
      const version = await statusLists.version(list);
      if (version === undefined) {
        compressed.delete(list);
        signed.delete(list);
        return undefined;
      }
      const lst = await compressedAt(list, version);
      await keyRing.refresh();
      const key = keyRing.signing();
      const now = numericDate(clock.now());
      let token = signed.get(list);
      if (token?.version !== version || token.kid !== key.kid || !isRecent(token, now)) {
        token = { version, kid: key.kid, iat: now, jwt: sign(list, lst, now, key) };
        signed.set(list, token);
      }
      return { jwt: token.jwt, maxAge: token.iat + TTL - CACHES_END - now };
    },
  };
}

/** Neither too old nor of a moment that a clock which was put back has not reached. */
function isRecent({ iat }: Signed, now: number): boolean {
  return iat <= now && now - iat < SIGNATURE_REUSE;
}
