import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Clock, numericDate } from '../core/clock.ts';
import { derivedKey } from './attempts.ts';
import type { UserStore } from './user-store.ts';

/** How long a device is known, in seconds: 180 days. */
const LIFETIME = 15_552_000;

/** An id, until when it is good (NumericDate), and a signature. */
const VALUE = /^([\w-]{22})\.(\d{10})\.([\w-]{43})$/;

interface Parts {
  readonly users: UserStore;
  readonly clock: Clock;
  /** The first signs, all verify. */
  readonly secrets: readonly string[];
}

/**
 * Devices that somebody has logged in with. Such a one may go on trying when strangers have used up what may be tried for
 * its user; it opens nothing. The signature covers the user and the password of then: another user's is worth nothing, and
 * whoever knew an old password has nothing left of it.
 */
export class KnownDevices {
  readonly #users: UserStore;
  readonly #clock: Clock;
  readonly #keys: readonly Uint8Array[];

  constructor({ users, clock, secrets }: Parts) {
    this.#users = users;
    this.#clock = clock;
    this.#keys = secrets.map((secret) => derivedKey(secret, 'coatcheck known device'));
  }

  /**
   * @param passwordHash what the password was checked against, or has become: were it read now, it could be of another
   *   password, which whoever is here does not know
   * @returns what the device has to show next time, a new id each time, and for how many seconds it is good
   */
  remember(userId: string, passwordHash: string): { value: string; lifetime: number } {
    const id = randomBytes(16).toString('base64url');
    const end = String(numericDate(this.#clock.now()) + LIFETIME);
    const signed = [id, end, userId, passwordHash];
    const signature = this.#signatures(signed)[0]?.toString('base64url') ?? '';
    return { value: `${id}.${end}.${signature}`, lifetime: LIFETIME };
  }

  /** @returns the id of the device, if it has been used to log in as the user of that name or e-mail address */
  async recognise(shown: string | undefined, login: string): Promise<string | undefined> {
    const [, id, end, signature = ''] = VALUE.exec(shown ?? '') ?? [];
    if (id === undefined || Number(end) <= numericDate(this.#clock.now())) return undefined;
    const found = await this.#users.findLogin(login);
    const given = Buffer.from(signature, 'base64url');
    const signed = [id, end, found?.user.id, found?.passwordHash];
    const good = this.#signatures(signed).some((one) => timingSafeEqual(one, given));
    return good && found !== undefined ? id : undefined;
  }

  #signatures(signed: readonly unknown[]): Buffer[] {
    const text = JSON.stringify(signed);
    return this.#keys.map((key) => createHmac('sha256', key).update(text).digest());
  }
}
