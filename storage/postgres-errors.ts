import pg from 'pg';
import { SettingsError, StorageError } from '../core/errors.ts';
import { TLS_REFUSED } from './tls-errors.ts';

/**
 * What the server's error codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) say of the server, not
 * of our statements, by the code or the class that it begins with; and what an operator can do.
 */
const FAULTS: Readonly<Record<string, string>> = {
  '08': 'has lost the connection',
  '25006': 'is read-only: it is a standby. Let DATABASE_URL lead to the primary',
  '25P03': 'has ended a transaction that took too long',
  '40': 'is too busy: transactions keep getting into the way of each other',
  '53100': 'cannot grow, the disk is full: make room on it',
  '53300':
    'has no connection left: raise max_connections there, or lower pool_size in DATABASE_URL',
  '53': 'is out of resources',
  '55': 'is in use by somebody who locks it',
  '57014': 'did not answer in time (statement_timeout)',
  '57P03': 'is starting up or shutting down',
  '57P04': 'has been dropped',
  '57': 'is shutting down',
  '58': 'cannot read or write its files (see its log)',
  XX: 'is damaged or has an error of its own (see its log)',
};

/** What will be over by itself, or may be. */
const PASSING = /^(?:08|40|53|55|57(?!P04))/;

/** What is wrong with the URL, by the server's codes and those of Node. */
const WRONG: readonly [RegExp, string][] = [
  [/^28P01$/, 'has a wrong user or password, or none: the server refuses it'],
  [
    /^28/,
    'is refused by the server: there is no such user, or its pg_hba.conf does not let it in from here, or only with another sslmode',
  ],
  [/^3D000$/, 'names a database that is not there: make it with createdb, or correct the name'],
  [
    /^(?:42501|3F000)$/,
    'names a user who may not do that: make it the owner of the database, or grant it all on the schema public',
  ],
  [/^ENOTFOUND$/, 'names a host that is not known: correct its name'],
  [
    TLS_REFUSED,
    'asks for TLS that the server does not pass: look at sslmode and sslrootcert, and at the certificate of the server',
  ],
];

/** A fault, and whether the connection that it came over is good for nothing more. */
export interface Fault {
  readonly error: Error;
  readonly breaks: boolean;
}

/** Names what a query has failed with. What is not the storage's fault passes as it is. */
export function queryFault(error: unknown): Fault {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    const breaks = error.severity !== 'ERROR' || /^(?:08|25006|25P03|57P)/.test(code);
    return { error: serverError(error, code) ?? error, breaks };
  }
  if (error instanceof TypeError) return { error, breaks: true }; // a value that cannot be sent
  return { error: noAnswer(error), breaks: true };
}

/** Names what connecting has failed with. All of it is the storage's fault. */
export function connectFault(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  const wrong = wrongUrl(error, code);
  if (wrong !== undefined) return new StorageError(`DATABASE_URL ${wrong}.`, { cause: error });
  return serverError(error, code) ?? noAnswer(error);
}

/** At start, where the URL is wrong, that is said as of any other setting. */
export function atStart(error: unknown): unknown {
  const cause = error instanceof StorageError ? error.cause : error;
  const wrong = wrongUrl(cause, codeOf(cause));
  return wrong === undefined ? error : new SettingsError([`DATABASE_URL ${wrong}`]);
}

/** Whether a transaction got in the way of another, and may do better if it is run again. */
export function isConflict(error: unknown): boolean {
  const cause = error instanceof StorageError ? error.cause : undefined;
  return ['40001', '40P01'].includes(codeOf(cause));
}

function wrongUrl(error: unknown, code: string): string | undefined {
  const message = error instanceof Error ? error.message : '';
  // pg has no code for these
  if (message.includes('does not support SSL')) {
    return 'asks for TLS (sslmode), which the server does not offer: switch it on there, or set sslmode=disable if nobody else is on the way';
  }
  return WRONG.find(([codes]) => codes.test(code))?.[1];
}

function serverError(cause: unknown, code: string): StorageError | undefined {
  const fault = FAULTS[code] ?? (code.length === 5 ? FAULTS[code.slice(0, 2)] : undefined);
  if (fault === undefined) return undefined;
  return new StorageError(`The database ${fault}.`, { cause, passes: PASSING.test(code) });
}

function noAnswer(cause: unknown): StorageError {
  const code = codeOf(cause);
  const reason = code === '' ? (cause instanceof Error ? cause.message : '') : code;
  return new StorageError(`The database does not answer (${reason}).`, { cause, passes: true });
}

/** Of the server or of the system. Several addresses that failed have one for all. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}
