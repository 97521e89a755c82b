/** Everything that is recorded, by its name in the table. docs/audit.md says what each one means. */
export const EVENTS = [
  'login.succeeded',
  'login.failed',
  'login.bypass',
  'logout',
  'exchange.refused',
  'session.revoked',
  'token.revoked',
  'user.added',
  'user.imported',
  'user.deleted',
  'user.disabled',
  'user.enabled',
  'user.roles_changed',
  'user.email_changed',
  'user.password_changed',
  'user.password_refused',
  'user.unlocked',
  'key.published',
  'key.imported',
  'key.signing',
  'key.retired',
  'key.gone',
  'key.withdrawn',
  'key.rejected',
  'key.exported',
  'client.added',
  'client.deleted',
  'client.refused',
  'limit.reached',
  'limit.overloaded',
] as const;

export type EventName = (typeof EVENTS)[number];

/** Who did it: a user or an API client by id, somebody at the command line by the system's name, this service, or nobody knows. */
export interface Actor {
  readonly kind: 'user' | 'client' | 'cli' | 'service' | 'nobody';
  readonly id?: string;
}

/** What it was done to. */
export interface Subject {
  readonly kind: 'user' | 'client' | 'key';
  readonly id: string;
  /** Given where the name would be lost otherwise: when something is added or goes. */
  readonly name?: string;
}

/** Where a request came from. */
export interface Caller {
  readonly request?: string;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** What is recorded. Never a secret, nor what somebody typed: people type passwords where their name belongs. */
export interface AuditEvent extends Caller {
  readonly event: EventName;
  /** Left out: whoever runs this process. */
  readonly actor?: Actor;
  readonly subject?: Subject | undefined;
  /** The public id of the session. */
  readonly session?: string;
  readonly details?: Readonly<Record<string, string | number | readonly string[]>>;
  /** Why it failed. For the log only. */
  readonly reason?: string | undefined;
}
