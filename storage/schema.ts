import type { Generated } from 'kysely';

/** The tables as Kysely sees them. Times are milliseconds since 1970; lists are JSON texts. */
export interface Schema {
  users: UsersTable;
  sessions: SessionsTable;
  signing_keys: SigningKeysTable;
  status_lists: StatusListsTable;
  status_entries: StatusEntriesTable;
  api_clients: ApiClientsTable;
  tasks: TasksTable;
  attempts: AttemptsTable;
  audit_events: AuditEventsTable;
}

export interface UsersTable {
  id: string;
  /** As typed, for display. */
  username: string;
  /** What uniqueness and look-up go by. */
  username_canonical: string;
  email: string | null;
  email_canonical: string | null;
  name: string | null;
  /** PHC string, or a hash from elsewhere until the next login; null for a user who has never had a password. */
  password_hash: string | null;
  /** JSON array of strings. */
  roles: string;
  disabled_at: number | null;
  /** How often all sessions of the user, or all but one, have been ended: see storage/sign-outs.ts. */
  sign_outs: number;
  created_at: number;
  updated_at: number;
}

export interface SessionsTable {
  /** SHA-256 of the id in the cookie, base64url: a copy of the table opens no session. */
  id_hash: string;
  /** What tokens (`sid`), lists and commands call the session. */
  public_id: string;
  user_id: string;
  /** `pwd` or `bypass`. */
  amr: string;
  created_at: number;
  last_seen_at: number;
  idle_expires_at: number;
  expires_at: number;
  address: string | null;
  user_agent: string | null;
  /** JSON of the rest of the express-session, the cookie's attributes included. */
  data: string;
  /** The entry of the status list that the session's tokens carry. */
  status_list: string;
  status_index: number;
}

/**
 * The keys that sign, have signed or are going to. What a key does at a moment follows from these times alone, so that
 * processes agree without talking: the key with the latest `signs_from` that has passed signs, those before it are
 * retired, those after it only published.
 */
export interface SigningKeysTable {
  /** 1, 2, 3…: unique, so that of two processes that add the next key at once only one does. */
  sequence: number;
  /** A shared secret that signs again after another has a second row of that name; a key pair has one. */
  kid: string;
  algorithm: string;
  /** Null for a shared secret, which stays in the settings. */
  public_jwk: string | null;
  /** Encrypted; null for a shared secret, and erased when the key is rejected. */
  private_key: string | null;
  published_at: number;
  signs_from: number;
  /** The longest life, in seconds, of any token that it has signed or may be signing. */
  longest_token: number;
  /** From when on the key is trusted no more, come what may: set in an emergency only. */
  gone_at: number | null;
}

export interface StatusListsTable {
  id: string;
  created_at: number;
  /** Grows with every change of an entry, in the same transaction. */
  version: number;
}

/** An index that was given to a session, and cannot be given away again before `expires_at`. */
export interface StatusEntriesTable {
  list_id: string;
  idx: number;
  /** When the last token that carries it has expired for certain. */
  expires_at: number;
  revoked_at: number | null;
  /** The public id of the session that it was given to, and whose that is; null in entries of before these columns. */
  session_id: string | null;
  user_id: string | null;
}

/** What one of all processes does every now and then. */
export interface TasksTable {
  name: string;
  /** When it is the next time. Whoever puts this off has taken the task. */
  due_at: number;
}

/** Attempts that have not been forgotten yet: see users/sql-attempts.ts. */
export interface AttemptsTable {
  /** What they were at, so that nobody can read it. */
  key: string;
  forgotten_at: number;
}

export interface ApiClientsTable {
  id: string;
  name: string;
  /** SHA-256, base64url: the secret is random, and long enough. */
  secret_hash: string;
  created_at: number;
}

/** What has happened. Rows are written and read, never changed; the database itself refuses that. See docs/audit.md. */
export interface AuditEventsTable {
  /** In the order in which they were written. */
  id: Generated<number>;
  at: number;
  event: string;
  /** Who did it: `user`, `client`, `cli`, `service` or `nobody`, and the id, or the system's name of who ran a command. */
  actor_kind: string;
  actor_id: string | null;
  /** What it was done to: `user`, `client` or `key`. */
  subject_kind: string | null;
  subject_id: string | null;
  /** Canonical, in rows of what was added or deleted. */
  subject_name: string | null;
  session_id: string | null;
  address: string | null;
  user_agent: string | null;
  request_id: string | null;
  /** JSON object. */
  details: string | null;
  /** Names what is recorded once only. */
  once: string | null;
}
