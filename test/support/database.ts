import { join } from 'node:path';
import { type Database, openDatabase } from '../../storage/database.ts';
import { temporaryDirectory } from './directory.ts';

/** A SQLite database with all tables, in a directory of its own. */
export interface TemporaryDatabase extends AsyncDisposable {
  readonly database: Database;
  readonly directory: string;
  readonly file: string;
}

export async function temporaryDatabase(): Promise<TemporaryDatabase> {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'test.db');
  const database = await openDatabase(`sqlite:${file}`);
  return {
    database,
    directory: directory.path,
    file,
    async [Symbol.asyncDispose]() {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
}
