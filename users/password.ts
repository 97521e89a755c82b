import { availableParallelism } from 'node:os';
import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { Problem } from '../core/errors.ts';
import type { User, UserStore } from './user-store.ts';

/** argon2id (the package's default) as OWASP's Password Storage Cheat Sheet has it: 19 MiB, 2 passes, 1 lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Beyond this many waiting hashes a login is better told to come back than to wait. */
const QUEUE_LIMIT = 64;

/** Hashes and checks passwords, only a few at a time: each takes a core for some 20 ms and 19 MiB. */
export class PasswordHasher {
  readonly #slots = new Slots(Math.max(1, availableParallelism() - 1), QUEUE_LIMIT);
  readonly #dummy: Promise<string>;

  constructor() {
    this.#dummy = this.hash(randomBytes(32).toString('hex'));
  }

  /**
   * @returns a PHC string.
   * @throws {Problem} `overloaded` when too many are waiting already.
   */
  hash(password: string): Promise<string> {
    return this.#slots.run(() => hash(password.normalize('NFC'), PARAMETERS));
  }

  /**
   * Whether the password is the one behind the hash. Without a hash it takes just as long and says no, so
   * that the time of an answer does not tell which names exist.
   */
  async matches(passwordHash: string | null, password: string): Promise<boolean> {
    const against = passwordHash ?? (await this.#dummy);
    const same = await this.#slots.run(() => verify(against, password.normalize('NFC')));
    return passwordHash !== null && same;
  }
}

/** Somebody who knew the password a moment ago. */
export interface Authenticated {
  readonly user: User;
  /**
   * Whether that password is the user's still. Asked once the session is stored: a change of the password in
   * between has ended the sessions that it found, and would have missed this one.
   */
  stillHolds(): Promise<boolean>;
}

/**
 * The user whose login and password these are. Unknown, wrong and disabled take one way and one time.
 * @param login username or e-mail address
 */
export async function authenticate(
  users: UserStore,
  passwords: PasswordHasher,
  login: string,
  password: string,
): Promise<Authenticated | undefined> {
  const found = await users.findLogin(login);
  const matches = await passwords.matches(found?.passwordHash ?? null, password);
  if (!matches || found === undefined || found.user.disabled) return undefined;
  const { user, passwordHash } = found;
  return { user, stillHolds: async () => (await users.passwordHash(user.id)) === passwordHash };
}

/** Lets so many run at once and so many wait. */
class Slots {
  readonly #waiting: (() => void)[] = [];
  readonly #queueLimit: number;
  #free: number;

  constructor(atOnce: number, queueLimit: number) {
    this.#free = atOnce;
    this.#queueLimit = queueLimit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free -= 1;
      return undefined;
    }
    if (this.#waiting.length >= this.#queueLimit) {
      throw new Problem(
        'overloaded',
        'Too many people are signing in at this moment. Please try again in a few seconds.',
      );
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
