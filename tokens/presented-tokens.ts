import { type Token, TokenError, UnavailableError, type Verifier } from '#verify';
import { StorageError } from '../core/errors.ts';
import { type ListOf, statusEntry, statusListIn } from './status-check.ts';
import type { StatusLists } from './status-lists.ts';

/** What API clients may ask about tokens that were presented to them (RFC 7662, RFC 7009). */
export interface PresentedTokens {
  /**
   * The claims of a token of this service that is valid now; nothing for any other text.
   * @throws {StorageError} when that cannot be known
   */
  read(jwt: string): Promise<Token | undefined>;
  /**
   * Revokes a token, and with it all others of its session, which goes on. Any other text has nothing to revoke.
   * @returns the token that was good until then
   * @throws {StorageError} when it may not have been revoked
   */
  revoke(jwt: string): Promise<Token | undefined>;
}

export interface PresentedTokensOptions {
  readonly verifier: Verifier;
  readonly statusLists: StatusLists;
  readonly listOf: ListOf;
  /** Gives the session of that public id, if it is there still, a new entry in place of the one its tokens have. */
  readonly renew: (publicId: string) => Promise<unknown>;
}

export function createPresentedTokens(options: PresentedTokensOptions): PresentedTokens {
  const { verifier, statusLists, listOf, renew } = options;

  async function read(jwt: string): Promise<Token | undefined> {
    try {
      return await verifier.verify(jwt);
    } catch (error) {
      if (error instanceof TokenError) return undefined;
      if (error instanceof UnavailableError)
        throw new StorageError(error.message, { cause: error });
      throw error;
    }
  }

  return {
    read,
    async revoke(jwt) {
      const token = await read(jwt);
      if (token === undefined) return undefined; // revoked before, too: asking again must not hurt the tokens issued since
      await renew(token.sid);
      await statusLists.revoke(statusEntry(statusListIn(token['status']), listOf));
      return token;
    },
  };
}
