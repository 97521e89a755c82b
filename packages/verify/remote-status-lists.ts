import { LruCache } from './cache.ts';
import type { RevocationCheck, StatusReference } from './revocation.ts';
import { StatusListCopy, type StatusListSource } from './status-list-copy.ts';
import { TokenError } from './token.ts';
import { webAddress } from './web-address.ts';

/** How many lists are kept; each has room for many thousand sessions. */
const KEPT = 64;

export interface RemoteStatusListsOptions extends StatusListSource {
  readonly allowHttp: boolean;
}

/** Looks tokens up in the status lists that they refer to (draft-ietf-oauth-status-list-21, section 8.3). */
export class RemoteStatusLists implements RevocationCheck {
  readonly #options: RemoteStatusListsOptions;
  readonly #copies = new LruCache<StatusListCopy>(KEPT);
  /** Most services have one list in use: it needs no looking for. */
  #latest: StatusListCopy | undefined;

  constructor(options: RemoteStatusListsOptions) {
    this.#options = options;
  }

  isRevoked(status: StatusReference | undefined): boolean | Promise<boolean> {
    if (status === undefined) {
      if (!this.#options.required) return false;
      throw new TokenError('claim_missing', 'The token has no "status".');
    }
    return this.#copyOf(status.uri).isRevoked(status.idx);
  }

  #copyOf(uri: string): StatusListCopy {
    if (this.#latest?.uri === uri) return this.#latest;
    this.#latest = this.#copies.get(uri) ?? this.#newCopy(uri);
    return this.#latest;
  }

  #newCopy(uri: string): StatusListCopy {
    if (webAddress(uri, this.#options.allowHttp) === undefined) {
      const message = 'The status list of the token has an address that is not used.';
      throw new TokenError('status_refused', message);
    }
    const copy = new StatusListCopy(uri, this.#options);
    this.#copies.set(uri, copy);
    return copy;
  }
}
