import type { Request } from 'express';
import type { AuditEvent } from '../audit/events.ts';
import { callerOf } from '../core/http.ts';

type Known = Omit<AuditEvent, 'event'>;

/** For the record: somebody who is signed in has done something to what is theirs. */
export function byUser(req: Request, id: string, name?: string): Known {
  const subject = { kind: 'user', id, ...(name !== undefined && { name }) } as const;
  return { ...callerOf(req), actor: { kind: 'user', id }, subject };
}

/** For the record: nobody knows who has done that, maybe to a user. */
export function byNobody(req: Request, userId?: string): Known {
  return { ...callerOf(req), actor: { kind: 'nobody' }, subject: aboutUser(userId) };
}

export function aboutUser(id: string | undefined): AuditEvent['subject'] {
  return id === undefined ? undefined : { kind: 'user', id };
}
