import type { Logger } from 'pino';
import type { Audit } from '../audit/audit.ts';
import type { Clock } from '../core/clock.ts';
import type { Algorithm } from './algorithms.ts';
import type { KeyHolder } from './key-holder.ts';
import type { Rhythm } from './key-schedule.ts';
import type { SharedKeys } from './key-secrets.ts';
import type { KeyStore } from './key-store.ts';

/** What the settings say of keys, and what looks after them works with. */
export interface KeyContext {
  readonly store: KeyStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly audit: Audit;
  readonly holder: KeyHolder;
  readonly shared: SharedKeys;
  /** Of new keys. */
  readonly algorithm: Algorithm;
  /** The first encrypts. Never empty with key pairs. */
  readonly encryptionSecrets: readonly string[];
  readonly rhythm: Rhythm;
  /** How long the longest-lived of what a key signs lasts, a token or a status list, in seconds. */
  readonly longestToken: number;
  /** Whether a shared secret that is missing is given up, with a warning, instead of asked for. */
  readonly forDevelopment: boolean;
}
