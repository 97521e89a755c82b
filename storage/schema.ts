/** The tables as Kysely sees them. Times are milliseconds since 1970; lists are JSON texts. */
export interface Schema {
  users: UsersTable;
  sessions: SessionsTable;
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
  /** PHC string; null for a user who has never had a password. */
  password_hash: string | null;
  /** JSON array of strings. */
  roles: string;
  disabled_at: number | null;
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
}
