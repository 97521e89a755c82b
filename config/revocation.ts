import type { Transaction } from 'kysely';
import type { RevocationCheck, Verifier } from '#verify';
import type { Clock } from '../core/clock.ts';
import type { AllocateEntry, SessionStore } from '../sessions/session-store.ts';
import type { Change, Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import { createPresentedTokens } from '../tokens/presented-tokens.ts';
import { statusCheck } from '../tokens/status-check.ts';
import { createStatusListTokens } from '../tokens/status-list-tokens.ts';
import { sqlStatusLists, type StatusLists } from '../tokens/status-lists.ts';
import type { UserStore } from '../users/user-store.ts';
import type { Settings } from './settings.ts';

/** What revokes tokens without ending their sessions, and what knows of it. */
export interface Revocation {
  readonly statusLists: StatusLists;
  readonly revocationCheck: RevocationCheck;
  /** Revokes the tokens of one session, which goes on. */
  readonly renewSession: (publicId: string) => Promise<unknown>;
  /**
   * Changes something of a user that tokens say, and revokes those that say what was before: both or neither. The sessions
   * go on.
   *
   * @param change may run more than once, and touches nothing but the database
   */
  readonly changeClaims: (userId: string, change: Change) => Promise<unknown>;
  /**
   * Changes a user's roles and revokes the tokens that carry the old ones: both or neither. The sessions go on.
   *
   * @param next asked for the new roles while nobody else can change the user; it may be asked more than once
   * @param note what is written with it, in one transaction, if the user exists
   * @returns the roles before and after, or `undefined` if there is no such user
   */
  readonly changeRoles: (
    userId: string,
    next: (current: readonly string[]) => readonly string[],
    note?: (db: Transaction<Schema>, changed: ChangedRoles) => Promise<unknown>,
  ) => Promise<ChangedRoles | undefined>;
}

export interface ChangedRoles {
  readonly before: readonly string[];
  readonly roles: readonly string[];
}

interface Parts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly database: Database;
  readonly users: UserStore;
  readonly sessions: SessionStore;
}

/** Where the status lists of a service are, and which list is there. */
export function statusListAddresses(publicUrl: string) {
  const folder = `${publicUrl}/status-lists/`;
  return {
    uriOf: (list: string) => folder + list,
    listOf: (uri: string) => (uri.startsWith(folder) ? uri.slice(folder.length) : undefined),
  };
}

export function createRevocation(parts: Parts): Revocation {
  const { settings, clock, database, users, sessions } = parts;
  const statusLists = sqlStatusLists(database, clock);
  const allocate: AllocateEntry = (end, holder) => statusLists.allocate(end, holder);
  // whoever finds the new entry finds the new claims: a token whose entry is not revoked was made from them
  const changeClaims: Revocation['changeClaims'] = (userId, change) =>
    sessions.renewStatus({ userId }, allocate, change);
  return {
    statusLists,
    revocationCheck: statusCheck(statusLists, statusListAddresses(settings.publicUrl).listOf),
    renewSession: (publicId) => sessions.renewStatus({ publicId }, allocate),
    changeClaims,
    async changeRoles(userId, next, note) {
      let changed: ChangedRoles | undefined;
      await changeClaims(userId, async (db) => {
        const before = await users.holdRoles(userId, db);
        changed = before && { before, roles: next(before) };
        if (changed === undefined) return;
        await users.setRoles(userId, changed.roles, db);
        await note?.(db, changed);
      });
      return changed;
    },
  };
}

/** What the routes tell others of tokens. */
export function createTokenAnswers(
  services: Pick<Parts, 'settings' | 'clock'> &
    Revocation & { readonly keyRing: KeyRing; readonly verifier: Verifier },
) {
  const { settings, clock, statusLists, keyRing, verifier, renewSession } = services;
  const { uriOf, listOf } = statusListAddresses(settings.publicUrl);
  const { issuer } = settings.jwt;
  return {
    statusListUri: uriOf,
    statusListTokens: createStatusListTokens({ statusLists, keyRing, clock, issuer, uri: uriOf }),
    presentedTokens: createPresentedTokens({ verifier, statusLists, listOf, renew: renewSession }),
  };
}
