import type { Logger } from 'pino';
import type { Audit } from '../audit/audit.ts';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../storage/database.ts';
import { KeyHolder } from '../tokens/key-holder.ts';
import { sharedKeys } from '../tokens/key-secrets.ts';
import { sqlKeyStore } from '../tokens/key-store.ts';
import { SigningKeys } from '../tokens/signing-keys.ts';
import { STATUS_LIST_LIFETIME } from '../tokens/status-list-tokens.ts';
import type { Settings } from './settings.ts';

/**
 * The keys in the database, with what the settings say of them.
 * @throws {StorageError} when they cannot be read
 */
export function openKeys(
  { jwt, keys, mode }: Settings,
  parts: { database: Database; clock: Clock; log: Logger; audit: Audit },
): Promise<SigningKeys> {
  const shared = sharedKeys(jwt.secret, jwt.previousSecrets, jwt.algorithm);
  return SigningKeys.open({
    ...parts,
    store: sqlKeyStore(parts.database),
    holder: new KeyHolder(shared, keys.encryptionSecrets),
    shared,
    algorithm: jwt.algorithm,
    encryptionSecrets: keys.encryptionSecrets,
    rhythm: {
      publication: keys.publicationPeriod * 1000,
      interval: keys.rotationInterval * 1000,
    },
    longestToken: Math.max(jwt.expiresIn, STATUS_LIST_LIFETIME),
    forDevelopment: mode === 'development',
  });
}
