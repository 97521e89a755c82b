import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { StorageError } from '../core/errors.ts';
import { explained } from './sqlite-errors.ts';

/** What a backup holds. */
export interface BackupContents {
  /** Its size in bytes. */
  readonly bytes: number;
  readonly users: number;
  /** Those that had not come to their end. */
  readonly sessions: number;
}

export interface BackupOptions {
  /** In milliseconds since 1970: what has ended by then is not counted. */
  readonly now: number;
  /** Called now and then while much is copied, with the share that is done: up to 1. */
  readonly progress?: (done: number) => void;
}

/** Pages between two reports: some megabytes, and a moment for whoever else waits for the disk. */
const PAGES_AT_ONCE = 2000;

/**
 * Copies an SQLite database while others read and write it: the copy is what had been committed at one moment, checked
 * from end to end, in one file that only its owner can read. It gets its name when it is whole and on the disk.
 *
 * @throws {StorageError} where something has that name already, the database cannot be read, or the copy not be written
 */
export async function backupSqlite(
  url: string,
  target: string,
  options: BackupOptions,
): Promise<BackupContents> {
  const source = resolve(url.slice('sqlite:'.length));
  const file = resolve(target);
  if (existsSync(file)) {
    throw new StorageError(
      `${file} exists already, and no backup is written over it: name another file.`,
    );
  }
  if (!existsSync(source)) throw new StorageError(`There is no database to back up: ${source}`);
  const drafts = draftDirectory(file);
  try {
    const draft = join(drafts, 'draft.db');
    closeSync(openSync(draft, 'wx', 0o600)); // it holds password hashes
    await copy(source, draft, options.progress);
    const contents = check(draft, options.now);
    flush(draft);
    renameSync(draft, file);
    flush(dirname(file));
    return contents;
  } finally {
    rmSync(drafts, { recursive: true, force: true });
  }
}

/** Beside the backup, since a file keeps whole only when it is renamed within one file system. */
function draftDirectory(file: string): string {
  try {
    return mkdtempSync(`${file}.draft-`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(`The backup cannot be written: ${reason}`, { cause });
  }
}

async function copy(
  source: string,
  draft: string,
  progress: BackupOptions['progress'],
): Promise<void> {
  const database = explained(() => new DatabaseSync(source, { readOnly: true, timeout: 2000 }));
  try {
    // One look from beginning to end. Without it, each write of another process would make SQLite start anew.
    explained(() => database.exec('begin; select count(*) from sqlite_schema'));
    const pages = await backup(database, draft, {
      rate: PAGES_AT_ONCE,
      progress: ({ totalPages, remainingPages }) => progress?.(1 - remainingPages / totalPages),
    });
    if (pages > PAGES_AT_ONCE) progress?.(1);
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(`The backup cannot be written: ${reason}`, { cause });
  } finally {
    database.close();
  }
}

/** @throws {StorageError} when the copy is damaged, as its original then is, or is of something else */
function check(draft: string, now: number): BackupContents {
  const database = explained(() => new DatabaseSync(draft));
  try {
    database.exec('pragma journal_mode = delete'); // one file, without a log beside it
    const [first] = explained(() => database.prepare('pragma integrity_check(1)').all());
    if (first?.['integrity_check'] !== 'ok') {
      throw new StorageError(
        `The database is damaged, and so would be the backup: ${String(first?.['integrity_check'])}`,
      );
    }
    const count = (sql: string, ...parameters: number[]) =>
      Number(database.prepare(`select count(*) as n ${sql}`).get(...parameters)?.['n']);
    if (count(`from sqlite_schema where name in ('users', 'sessions')`) < 2) {
      throw new StorageError('The database has no tables of Coatcheck: is DATABASE_URL right?');
    }
    return {
      bytes: Number(
        database
          .prepare('select page_count * page_size as n from pragma_page_count, pragma_page_size')
          .get()?.['n'],
      ),
      users: count('from users'),
      sessions: count('from sessions where idle_expires_at > ? and expires_at > ?', now, now),
    };
  } finally {
    database.close();
  }
}

/** Waits until a file, or what a directory says of its files, is on the disk. */
function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
