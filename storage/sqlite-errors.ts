import { StorageError } from '../core/errors.ts';

/**
 * SQLite's result codes that speak of the file or the disk, not of our statements
 * (https://www.sqlite.org/rescode.html), and what an operator can do.
 */
const FAULTS: Readonly<Record<number, string>> = {
  5: 'is locked by another process: end that process, or try again when it is done',
  6: 'is locked: try again',
  8: 'is read-only: give this user the right to write to the file and to its directory',
  10: 'cannot be read or written (disk error)',
  11: 'is damaged: restore it from a backup',
  13: 'cannot grow, the disk is full: make room on it',
  14: 'cannot be opened: check that the path is right and that this user may write there',
  15: 'is locked by another process in a way that does not resolve: end that process',
  26: 'is not an SQLite database: set DATABASE_URL to another file, or restore this one from a backup',
};

const LOCKED = 5;

/** Runs a step of SQLite's and names its failures. What is not the storage's fault passes as it is. */
export function explained<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    const code = resultCode(error) & 0xff;
    const fault = FAULTS[code];
    if (fault === undefined) throw error;
    throw new StorageError(`The database ${fault}.`, { cause: error, passes: code === LOCKED });
  }
}

function resultCode(error: unknown): number {
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') {
    return error.errcode;
  }
  return 0;
}
