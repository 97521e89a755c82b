import { z } from 'zod';
import { StorageError } from '../core/errors.ts';
import type { StatusEntry } from '../storage/status-entries.ts';
import type { SignIn } from './session-store.ts';
import type { Found, FoundWhole, Seen } from './store-base.ts';

/** The fields of a session in Redis that the exchange needs; `data` is the other one. */
export const FIELDS = ['public_id', 'sign_in', 'status', 'last_seen_at', 'idle_expires_at'];
export const ALL_FIELDS = [...FIELDS, 'data'];

/** What of a sign-in never changes, but for the public id, which scripts have to see. */
const signInText = z.object({
  userId: z.string(),
  amr: z.enum(['pwd', 'bypass']),
  createdAt: z.number(),
  expiresAt: z.number(),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
});

/** Fields and values in turn, as Redis takes them. */
export function recordOf({ publicId, status, ...signIn }: SignIn): string[] {
  const text = JSON.stringify(signIn satisfies z.input<typeof signInText>);
  return ['public_id', publicId, 'sign_in', text, 'status', statusText(status)];
}

export function seenRecord({ lastSeenAt, idleExpiresAt }: Seen): string[] {
  return ['last_seen_at', String(lastSeenAt), 'idle_expires_at', String(idleExpiresAt)];
}

/** The session in the values of `FIELDS`. @returns nothing where there is none */
export function foundIn(values: readonly (string | null)[]): Found | undefined {
  const [publicId, text, status, lastSeenAt, idleExpiresAt] = values;
  if (publicId === null || publicId === undefined) return undefined;
  const signIn = { publicId, ...parsed(text ?? ''), status: entryIn(status ?? '') };
  return { signIn, lastSeenAt: Number(lastSeenAt), idleExpiresAt: Number(idleExpiresAt) };
}

/** As `foundIn`, in the values of `ALL_FIELDS`. */
export function foundWholeIn(values: readonly (string | null)[]): FoundWhole | undefined {
  const found = foundIn(values);
  return found && { ...found, data: values[FIELDS.length] ?? '' };
}

function parsed(text: string): z.output<typeof signInText> {
  try {
    return signInText.parse(JSON.parse(text));
  } catch (cause) {
    throw new StorageError('A session in Redis is damaged, or not of Coatcheck.', { cause });
  }
}

export function statusText({ list, index }: StatusEntry): string {
  return `${list} ${index}`;
}

function entryIn(text: string): StatusEntry {
  const [list = '', index] = text.split(' ');
  return { list, index: Number(index) };
}
