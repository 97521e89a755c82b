import { PasswordHasher } from '../../users/password.ts';

/** Finds out whether a password is right, and keeps the answer to itself until told to go on. */
export class HeldHasher extends PasswordHasher {
  readonly #held = Promise.withResolvers<void>();
  readonly #checked = Promise.withResolvers<void>();
  readonly checked = this.#checked.promise;

  override async matches(passwordHash: string | null, password: string): Promise<boolean> {
    const matches = await super.matches(passwordHash, password);
    this.#checked.resolve();
    await this.#held.promise;
    return matches;
  }

  goOn(): void {
    this.#held.resolve();
  }
}
