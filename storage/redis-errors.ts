import { ConnectionTimeoutError, ErrorReply } from '@redis/client';
import { TLS_REFUSED } from './tls-errors.ts';

/** The first word of Redis' error replies that speak of its state, and what an operator can do. */
const FAULTS: Readonly<Record<string, string>> = {
  OOM: 'is full: give it more memory (maxmemory), or fewer sessions',
  READONLY: 'is a replica that takes no writes: SESSION_STORE_URL must lead to the primary',
  LOADING: 'is still reading its data from the disk',
  BUSY: 'is busy with a script',
  MASTERDOWN: 'is a replica that has lost its primary',
  MISCONF: 'takes no writes since it cannot save to its disk: see its log',
  CLUSTERDOWN: 'is a cluster that is down, and clusters are not supported',
  MOVED: 'is a cluster, which is not supported: SESSION_STORE_URL must lead to one primary',
  CROSSSLOT: 'is a cluster, which is not supported: SESSION_STORE_URL must lead to one primary',
  WRONGPASS: 'refuses the user or the password of SESSION_STORE_URL',
  NOAUTH: 'wants a password, and SESSION_STORE_URL has none',
  NOPERM: 'does not let the user of SESSION_STORE_URL run what is needed: see docs/settings.md',
};

/** No answer within the deadline. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** What went wrong, as the end of a sentence that begins with the store. @param tls whether that was asked for */
export function faultIn(error: unknown, tls: boolean): string {
  if (error instanceof DeadlineError) return error.message;
  if (tls && isWithoutTls(error)) return WITHOUT_TLS;
  if (!(error instanceof Error)) return 'cannot be used';
  if (!(error instanceof ErrorReply)) return `cannot be reached: ${reasonOf(error)}`;
  return FAULTS[firstWord(error)] ?? (isNoDatabase(error) ? NO_DATABASE : `says: ${error.message}`);
}

/** Whether it is for the settings to mend: waiting does not help. */
export function isForSettings(error: unknown): boolean {
  if (error instanceof ErrorReply) {
    return ['WRONGPASS', 'NOAUTH', 'NOPERM'].includes(firstWord(error)) || isNoDatabase(error);
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === 'ENOTFOUND' || TLS_REFUSED.test(code);
}

const WITHOUT_TLS =
  'has not answered in TLS, as rediss:// in SESSION_STORE_URL asks it to: is that the port for TLS? Without TLS it is redis://';

/** A server without TLS waits for the rest of what it takes for a command, or answers it. */
function isWithoutTls(error: unknown): boolean {
  if (error instanceof ConnectionTimeoutError) return true;
  return error instanceof Error && 'code' in error && error.code === 'ERR_SSL_WRONG_VERSION_NUMBER';
}

/** Whether another connection, to what the name stands for by now, may find the primary. */
export function isFailedOver(error: unknown): boolean {
  return error instanceof ErrorReply && firstWord(error) === 'READONLY';
}

const NO_DATABASE = 'has no database of the number in SESSION_STORE_URL';

function isNoDatabase({ message }: ErrorReply): boolean {
  return /DB index is out of range|invalid DB index/i.test(message);
}

function firstWord({ message }: ErrorReply): string {
  return message.split(' ', 1)[0] ?? '';
}

/** A name with several addresses fails with one error for each. */
function reasonOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first.message : error.message;
}
