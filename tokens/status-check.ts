import { type RevocationCheck, TokenError } from '#verify';
import type { StatusEntry, StatusLists } from './status-lists.ts';

/** The id of the list that is served at that address; nothing for the address of anything else. */
export type ListOf = (uri: string) => string | undefined;

/**
 * Asks the database itself, so that this service sees a logout at once. Every token of this service has an entry: one
 * without, or with that of another service, is refused.
 */
export function statusCheck(statusLists: StatusLists, listOf: ListOf): RevocationCheck {
  return { isRevoked: (status) => statusLists.isRevoked(statusEntry(status, listOf)) };
}

/** What a token's claim `status` says of a status list, if it does. */
export function statusListIn(status: unknown): unknown {
  return typeof status === 'object' && status !== null && 'status_list' in status
    ? status.status_list
    : undefined;
}

/**
 * The entry that a token refers to in `status.status_list`.
 * @throws {TokenError} when that is none of this service
 */
export function statusEntry(status: unknown, listOf: ListOf): StatusEntry {
  if (typeof status === 'object' && status !== null && 'uri' in status && 'idx' in status) {
    const list = typeof status.uri === 'string' ? listOf(status.uri) : undefined;
    const index = status.idx;
    if (list !== undefined && typeof index === 'number' && Number.isSafeInteger(index)) {
      return { list, index };
    }
  }
  throw new TokenError('claim_missing', 'The token has no "status" of this service.');
}
