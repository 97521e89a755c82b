import { isHmac } from './algorithms.ts';
import { followSchedule, settleKeys } from './key-changes.ts';
import type { KeyContext } from './key-context.ts';
import type { KeyRing } from './key-ring.ts';
import { retiresAt, trustedAt } from './key-schedule.ts';
import { SqlKeyRing } from './key-sql-ring.ts';
import type { KeyRow } from './key-store.ts';
import { recordMoves } from './key-trail.ts';

/** How often a process that serves looks after the keys, in milliseconds: so soon it knows what another has done. */
const ROUND = 5000;

/** The keys of this service in the database. Before `startSigning` they verify only, and nothing is written. */
export class SigningKeys {
  readonly context: KeyContext;
  readonly #ring: SqlKeyRing;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  private constructor(context: KeyContext) {
    this.context = context;
    this.#ring = new SqlKeyRing(context);
  }

  /** @throws {StorageError} when the keys cannot be read */
  static async open(context: KeyContext): Promise<SigningKeys> {
    const keys = new SigningKeys(context);
    await keys.#ring.read();
    return keys;
  }

  get ring(): KeyRing {
    return this.#ring;
  }

  /**
   * Sees to it that there is a key of the settings, tries all keys out, and signs from then on.
   * @throws {SettingsError} when the secrets of the settings do not fit the keys
   * @throws {StorageError} when a key is damaged
   */
  async startSigning(): Promise<void> {
    await settleKeys(this.context);
    await this.#ring.read(true);
    const now = this.context.clock.now();
    const trusted = trustedAt(this.#ring.rows, now);
    for (const row of trusted) {
      this.context.holder.verifying(row);
      if (retiresAt(this.#ring.rows, row) > now) await this.#tryOut(row);
      else await this.#tryOut(row).catch((error: unknown) => this.#warn(row, error));
    }
    await this.maintain();
  }

  /** Maintains the keys every few seconds, without keeping the process alive, until `stop`. */
  startRounds(): void {
    this.#timer ??= setInterval(() => void this.maintain(), ROUND).unref();
  }

  /** Takes in what others have changed and does what is due by the clock. Never fails: the next round tries again. */
  maintain(): Promise<void> {
    this.#round ??= this.#doRound().finally(() => (this.#round = undefined));
    return this.#round;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
    await this.#ring.idle();
  }

  async #doRound(): Promise<void> {
    try {
      await this.#ring.refresh(ROUND / 2);
      if (await followSchedule(this.context, this.#ring.rows)) await this.#ring.read();
      await recordMoves(this.context, this.#ring.rows);
    } catch (error) {
      this.context.log.error({ err: error }, 'the signing keys could not be looked after');
    }
  }

  /** Signs and verifies with it, and has it encrypted with the first secret of the settings. */
  async #tryOut(row: KeyRow): Promise<void> {
    if (isHmac(row.algorithm)) return;
    const { holder, store, log } = this.context;
    holder.signing(row);
    const text = holder.reencrypted(row);
    if (text === undefined) return;
    await store.reencrypt(row, text);
    log.info({ kid: row.kid }, 'a private key is encrypted with the first KEY_ENCRYPTION_SECRET');
  }

  #warn({ kid }: KeyRow, error: unknown): void {
    this.context.log.warn({ err: error, kid }, 'a retired key cannot be read: it verifies only');
  }
}
