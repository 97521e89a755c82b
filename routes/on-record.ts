import type { Request } from 'express';
import type { AuditEvent } from '../audit/events.ts';
import { callerOf } from '../core/http.ts';
import type { SignIn } from '../sessions/session-store.ts';

type Known = Omit<AuditEvent, 'event'>;

/** For the record: somebody has done something to what is theirs. */
export function byUser(req: Request, id: string): Known {
  return { ...callerOf(req), actor: { kind: 'user', id }, subject: { kind: 'user', id } };
}

/** As `byUser`, in the session that they are signed in with. */
export function bySession(req: Request, { userId, publicId }: SignIn): Known {
  return { ...byUser(req, userId), session: publicId };
}

/** For the record: nobody knows who has done that, maybe to a user. */
export function byNobody(req: Request, userId?: string): Known {
  return { ...callerOf(req), actor: { kind: 'nobody' }, subject: aboutUser(userId) };
}

export function aboutUser(id: string | undefined): AuditEvent['subject'] {
  return id === undefined ? undefined : { kind: 'user', id };
}
