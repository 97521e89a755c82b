import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Problem } from '../core/errors.ts';
import type { KeyContext } from './key-context.ts';
import { stageAt } from './key-schedule.ts';

/** A key to give away. */
export interface ExportedKey {
  readonly jwk: JsonWebKey;
  readonly pem: string;
}

/**
 * A key pair's public half, or all of it.
 * @throws {Problem} `not_found`; `invalid_request` for a shared secret, or one whose private half is not there any more
 * @throws {SettingsError | StorageError} when it cannot be decrypted
 */
export async function exportKey(
  { store, holder, clock }: KeyContext,
  kid: string,
  withPrivate: boolean,
): Promise<ExportedKey> {
  const rows = await store.all();
  const row = rows.findLast((one) => one.kid === kid);
  if (row === undefined) throw new Problem('not_found', 'There is no key of that id.');
  if (row.publicJwk === null) {
    throw new Problem(
      'invalid_request',
      'That key is a shared secret: it stands in JWT_SECRET_KEY or JWT_SECRET_KEY_PREVIOUS, and is never given out.',
    );
  }
  if (stageAt(rows, row, clock.now()).state === 'gone') {
    throw new Problem('invalid_request', 'That key is gone: nothing may rely on it any more.');
  }
  const members = { kid, alg: row.algorithm, use: 'sig' };
  const key = withPrivate
    ? holder.signing(row).key
    : createPublicKey({ key: row.publicJwk, format: 'jwk' });
  return { jwk: { ...key.export({ format: 'jwk' }), ...members }, pem: pemOf(key, withPrivate) };
}

function pemOf(key: KeyObject, isPrivate: boolean): string {
  return String(key.export({ format: 'pem', type: isPrivate ? 'pkcs8' : 'spki' }));
}
