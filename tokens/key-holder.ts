import { createPublicKey } from 'node:crypto';
import type { TrustedKey } from '#verify';
import { SettingsError, type StorageError } from '../core/errors.ts';
import { isHmac } from './algorithms.ts';
import { decryptKey, encryptKey } from './key-encryption.ts';
import { belongTogether, thumbprint } from './key-pair.ts';
import type { SigningKey } from './key-ring.ts';
import type { SharedKeys } from './key-secrets.ts';
import { damagedKey, type KeyRow } from './key-store.ts';

/** What this process has of the keys in the table: made once for each, and the same object from then on. */
export class KeyHolder {
  readonly #shared: SharedKeys;
  readonly #secrets: readonly string[];
  readonly #verifying = new Map<string, TrustedKey>();
  readonly #signing = new Map<string, SigningKey>();

  constructor(shared: SharedKeys, encryptionSecrets: readonly string[]) {
    this.#shared = shared;
    this.#secrets = encryptionSecrets;
  }

  /**
   * What verifies the tokens of a key; nothing for a shared secret that is not in the settings.
   * @throws {StorageError} when the row is damaged
   */
  verifying(row: KeyRow): TrustedKey | undefined {
    if (isHmac(row.algorithm)) return this.#shared.get(row.kid);
    const known = this.#verifying.get(row.kid);
    if (known !== undefined) return known;
    const trusted = { kid: row.kid, algorithm: row.algorithm, key: publicKeyOf(row) };
    this.#verifying.set(row.kid, trusted);
    return trusted;
  }

  /**
   * What signs: tried out when it is first asked for.
   * @throws {SettingsError} when no secret of the settings decrypts it, or it is a shared one that is not there
   * @throws {StorageError} when the row is damaged
   */
  signing(row: KeyRow): SigningKey {
    if (isHmac(row.algorithm)) return this.#shared.get(row.kid) ?? refuse(missingSecret(row.kid));
    const known = this.#signing.get(row.kid) ?? this.#decrypted(row).signing;
    this.#signing.set(row.kid, known);
    return known;
  }

  /** The private key encrypted with the first secret of the settings, if it was with another. */
  reencrypted(row: KeyRow): string | undefined {
    const [first] = this.#secrets;
    if (first === undefined || isHmac(row.algorithm)) return undefined;
    const { signing, secret } = this.#decrypted(row);
    return secret === first ? undefined : encryptKey(signing.key, row, first);
  }

  #decrypted(row: KeyRow): { signing: SigningKey; secret: string } {
    const { kid, algorithm, publicJwk, privateKey } = row;
    if (isHmac(algorithm) || publicJwk === null || privateKey === null) throw damagedKey(kid);
    const found = decryptKey(privateKey, row, this.#secrets);
    if (found === 'unknown_secret') return refuse(wrongSecret(kid));
    if (found === 'damaged') throw damagedKey(kid);
    if (!belongTogether({ kid, algorithm, privateKey: found.key, publicJwk }))
      throw damagedKey(kid);
    return { signing: { kid, algorithm, key: found.key }, secret: found.secret };
  }
}

function publicKeyOf({ kid, publicJwk }: KeyRow) {
  if (publicJwk === null || thumbprint(publicJwk) !== kid) throw damagedKey(kid);
  try {
    return createPublicKey({ key: publicJwk, format: 'jwk' });
  } catch {
    throw damagedKey(kid);
  }
}

/** Whether it is one of the two errors above: the key is of no use here, and the ring goes on without it. */
export function isOfNoUse(error: unknown): error is SettingsError | StorageError {
  return error instanceof Error && ['SettingsError', 'StorageError'].includes(error.name);
}

function refuse(problem: string): never {
  throw new SettingsError([problem]);
}

function wrongSecret(kid: string): string {
  return `KEY_ENCRYPTION_SECRET has no secret that the signing key ${kid} was encrypted with: put the earlier one at the end of the list. If it is lost, "coatcheck key rotate --emergency" makes a new key, and rejects all tokens that were issued so far`;
}

function missingSecret(kid: string): string {
  return `JWT_SECRET_KEY is not the secret that signs (key ${kid}), and neither is any of JWT_SECRET_KEY_PREVIOUS`;
}
