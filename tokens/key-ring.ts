import type { JsonWebKey, KeyObject } from 'node:crypto';
import type { KeySource } from '#verify';
import type { Algorithm } from './algorithms.ts';

/** A key that can sign: private, or a shared secret. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** The keys of this service: the one that signs, and all that verify, that one included. */
export interface KeyRing extends KeySource {
  /** The key that signs now. @throws {StorageError} when no key is known to be safe to sign with */
  signing(): SigningKey;
  /**
   * Reads the ring anew if what is known of it is older than some seconds.
   * @returns nothing to wait for while it is fresh; never fails: `signing` tells
   */
  refresh(): Promise<void> | undefined;
  /** The public halves of all keys that are published, signing or retired (RFC 7517, section 5). */
  publicKeys(): readonly JsonWebKey[];
  /** The algorithms of tokens that are accepted now. */
  algorithms(): readonly Algorithm[];
}
