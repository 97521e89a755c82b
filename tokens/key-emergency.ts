import { Problem } from '../core/errors.ts';
import { isHmac } from './algorithms.ts';
import { sharedRow, urgentRow } from './key-changes.ts';
import type { KeyContext } from './key-context.ts';
import { changedMeanwhile, someKeys } from './key-operations.ts';
import { generatePair } from './key-pair.ts';
import { newestOf, trustedAt } from './key-schedule.ts';
import type { KeyRow, NewKey } from './key-store.ts';

/** What an emergency does. */
export interface Emergency {
  /** The keys that are rejected. */
  readonly rejected: readonly string[];
  /** Whether one of them is a shared secret, which nobody can take back from an API that has it. */
  readonly rejectsSecret: boolean;
  /** The shared secret that signs then; nothing where a key pair is going to be made. */
  readonly signer: string | undefined;
  /** Does it. @returns the key that signs now. @throws {Problem} `invalid_request` when the keys have changed meanwhile */
  carryOut(): Promise<string>;
}

/**
 * What it takes to reject all keys at once but for a new one that signs immediately; with HS* but for `JWT_SECRET_KEY`.
 * @throws {Problem} `invalid_request` where there is nothing to reject, or the secret has not been changed
 */
export async function planEmergency(context: KeyContext): Promise<Emergency> {
  const { store, clock, audit, shared, algorithm } = context;
  const rows = await someKeys(context);
  const { current } = shared;
  if (isHmac(algorithm) && current !== undefined) refuseRejected(context, rows, current.kid);
  const kept = current === undefined ? [] : shared.namesOf(current.kid);
  const rejected = trustedAt(rows, clock.now()).filter(({ kid }) => !kept.includes(kid));
  if (rejected.length === 0) {
    throw new Problem(
      'invalid_request',
      `There is no key to reject but JWT_SECRET_KEY itself. If that one has leaked, put another secret there first, and not this one into JWT_SECRET_KEY_PREVIOUS; then run this command again, and start the service. Nothing was changed.`,
    );
  }
  const kids = [...new Set(rejected.map(({ kid }) => kid))];
  const staying = rows.filter((row) => !rejected.includes(row));
  const signs = current !== undefined && newestOf(staying)?.kid === current.kid;
  return {
    rejected: kids,
    rejectsSecret: rejected.some((row) => isHmac(row.algorithm)),
    signer: current?.kid,
    async carryOut() {
      const added = signs ? undefined : await replacement(context, staying);
      const signer = added?.kid ?? current?.kid ?? '';
      const isDone = await audit.recordWith(
        { event: 'key.rejected', details: { keys: kids, signer } },
        (write) => store.reject(rejected, clock.now(), added, rows.at(-1), (db) => write(db)),
      );
      if (!isDone) throw changedMeanwhile();
      return signer;
    },
  };
}

async function replacement(context: KeyContext, staying: readonly KeyRow[]): Promise<NewKey> {
  const { current } = context.shared;
  if (current !== undefined) return sharedRow(context, current, staying);
  if (isHmac(context.algorithm)) throw new Problem('invalid_request', 'JWT_SECRET_KEY is not set.');
  return urgentRow(context, await generatePair(context.algorithm));
}

function refuseRejected({ shared }: KeyContext, rows: readonly KeyRow[], kid: string): void {
  const names = shared.namesOf(kid);
  if (rows.some((row) => row.goneAt !== null && names.includes(row.kid))) {
    throw new Problem(
      'invalid_request',
      'JWT_SECRET_KEY has been rejected in an emergency before: put a new secret there first.',
    );
  }
}
