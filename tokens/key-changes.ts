import { DAY, isoTime } from '../core/clock.ts';
import { SettingsError, StorageError } from '../core/errors.ts';
import { isHmac, type KeyPairAlgorithm } from './algorithms.ts';
import type { KeyContext } from './key-context.ts';
import { encryptKey } from './key-encryption.ts';
import { generatePair, type KeyPair } from './key-pair.ts';
import {
  goneFrom,
  newestOf,
  nextMove,
  pendingAt,
  retiresAt,
  rotatesAt,
  signsFromIfPublished,
  signsFromIfShared,
  SKEW,
  trustedAt,
} from './key-schedule.ts';
import type { SharedKey } from './key-secrets.ts';
import type { KeyRow, NewKey } from './key-store.ts';
import { addKey } from './key-trail.ts';

/** How often a change is begun anew because another process was faster. */
const ATTEMPTS = 20;

/** How long a key that is gone is left in the table, in milliseconds: a clock that was wrong for an hour deletes nothing. */
const DELETED_AFTER = DAY;

/**
 * Makes the table say what the settings say, as each server does at its start.
 * @throws {SettingsError} when a shared secret is missing whose tokens are good, or was rejected in an emergency
 */
export async function settleKeys(context: KeyContext): Promise<void> {
  const { store, clock, log, audit, algorithm, shared } = context;
  const { current } = shared;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const rows = await store.all();
    const now = clock.now();
    const wrong = secretProblems(context, rows, now);
    if (wrong.missing.length > 0 && context.forDevelopment) {
      const kids = wrong.missing.map(({ kid }) => kid);
      await audit.recordWith({ event: 'key.rejected', details: { keys: kids } }, (write) =>
        store.reject(wrong.missing, now, undefined, rows.at(-1), (db) => write(db)),
      );
      log.warn({ kids }, 'the secret of earlier tokens is not set any more: they are not accepted');
      continue;
    }
    if (wrong.problems.length > 0) throw new SettingsError(wrong.problems);
    const newest = newestOf(rows);
    const move = nextMove(rows, now, { algorithm, kid: current?.kid });
    if (move === undefined) return;
    if (move === 'withdraw') {
      if (newest && (await withdraw(context, newest, now))) {
        log.warn(
          { kid: newest.kid },
          'a key that waited for its turn is deleted: JWT_ALGORITHM is for another',
        );
      }
      continue;
    }
    const added =
      current === undefined
        ? pairRow(context, await generatePair(pairAlgorithm(context)), rows)
        : sharedRow(context, current, rows);
    if (await addKey(context, added, rows)) noteAdded(context, added);
  }
  throw new StorageError('The signing keys change all the time: try again.');
}

/** Publishes the next key pair when the time has come, and deletes those that are gone for long. */
export async function followSchedule(
  context: KeyContext,
  rows: readonly KeyRow[],
): Promise<boolean> {
  const { store, clock, rhythm } = context;
  const now = clock.now();
  const over = rows.filter((row) => {
    // a shared secret holds nothing, and says that it is gone; a key that was rejected must not be imported again
    return (
      row.publicJwk !== null && row.goneAt === null && goneFrom(rows, row) + DELETED_AFTER <= now
    );
  });
  if (over.length > 0) await store.remove(over);
  const newest = newestOf(rows);
  if (newest === undefined || isHmac(newest.algorithm) || rotatesAt(rows, rhythm) > now)
    return over.length > 0;
  if (pendingAt(rows, now) !== undefined) return over.length > 0;
  const added = pairRow(context, await generatePair(newest.algorithm), rows);
  if (await addKey(context, added, rows)) noteAdded(context, added);
  return true;
}

function withdraw({ audit, store }: KeyContext, newest: KeyRow, now: number): Promise<boolean> {
  return audit.recordWith(
    { event: 'key.withdrawn', subject: { kind: 'key', id: newest.kid } },
    (write) => store.withdraw(newest, now, (db) => write(db)),
  );
}

/** What a new key pair's row says: published now, to sign when everybody can know it. */
export function pairRow(context: KeyContext, pair: KeyPair, rows: readonly KeyRow[]): NewKey {
  const now = context.clock.now();
  return {
    ...encrypted(context, pair),
    publishedAt: now,
    signsFrom: signsFromIfPublished(rows, now, context.rhythm),
    longestToken: context.longestToken,
  };
}

/** The same for one that signs at once, whoever may not know it. */
export function urgentRow(context: KeyContext, pair: KeyPair): NewKey {
  const now = context.clock.now();
  return {
    ...encrypted(context, pair),
    publishedAt: now,
    signsFrom: now,
    longestToken: context.longestToken,
  };
}

/** What a shared secret's row says: it signs at once. One that has signed before gets another row. */
export function sharedRow(context: KeyContext, key: SharedKey, rows: readonly KeyRow[]): NewKey {
  const now = context.clock.now();
  const before = rows.filter(({ kid }) => kid === key.kid).map((row) => row.longestToken);
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    publicJwk: null,
    privateKey: null,
    publishedAt: now,
    signsFrom: signsFromIfShared(rows, now),
    longestToken: Math.max(context.longestToken, ...before),
  };
}

function encrypted({ encryptionSecrets: [secret] }: KeyContext, pair: KeyPair) {
  const { kid, algorithm, publicJwk } = pair;
  if (secret === undefined) throw new SettingsError(['KEY_ENCRYPTION_SECRET is required here']);
  return { kid, algorithm, publicJwk, privateKey: encryptKey(pair.privateKey, pair, secret) };
}

function pairAlgorithm({ algorithm }: KeyContext): KeyPairAlgorithm {
  if (isHmac(algorithm)) throw new SettingsError(['JWT_SECRET_KEY is required']);
  return algorithm;
}

function noteAdded({ log }: KeyContext, { kid, algorithm, signsFrom }: NewKey): void {
  log.info({ kid, algorithm, signs_from: isoTime(signsFrom) }, 'a signing key is published');
}

/** Shared secrets whose tokens are good and that are not in the settings; and what an operator has to hear. */
function secretProblems(context: KeyContext, rows: readonly KeyRow[], now: number) {
  const { shared, algorithm, rhythm, forDevelopment } = context;
  const missing = trustedAt(rows, now).filter(
    (row) => isHmac(row.algorithm) && shared.get(row.kid) === undefined,
  );
  const problems = missing.map((row) => {
    const replaced = isHmac(algorithm) ? now : signsFromIfPublished(rows, now, rhythm);
    const retires = Math.min(retiresAt(rows, row), Math.max(replaced, row.signsFrom));
    const until = isoTime(retires + row.longestToken * 1000 + SKEW);
    return retires > now
      ? `JWT_SECRET_KEY must not be removed or changed yet: it signs (key ${row.kid}) until ${isoTime(retires)}, when every API can know the key pair after it, and its tokens are good until ${until}`
      : `JWT_SECRET_KEY_PREVIOUS must have the earlier JWT_SECRET_KEY (key ${row.kid}): tokens that it signed are good until ${until}. Put it there; or, to reject those tokens, run "coatcheck key rotate --emergency"`;
  });
  const names = shared.current === undefined ? [] : shared.namesOf(shared.current.kid);
  if (!forDevelopment && rows.some((row) => row.goneAt !== null && names.includes(row.kid))) {
    problems.push(
      'JWT_SECRET_KEY has been rejected with "coatcheck key rotate --emergency": make another one with: node -p "crypto.randomBytes(64).toString(\'hex\')"',
    );
  }
  return { missing, problems };
}
