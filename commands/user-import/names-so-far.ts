import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { canonical } from '../../core/text.ts';
import type { NewUser } from '../../users/user-store.ts';

/**
 * The names and addresses of a file up to where it has been read. They are in a temporary file that SQLite makes and
 * removes, and in up to 32 MiB of memory, however many there are. An address has an `@`, a username has none.
 */
export class NamesSoFar implements Disposable {
  readonly #database = new DatabaseSync('');
  readonly #find: StatementSync;
  readonly #add: StatementSync;

  constructor() {
    this.#database.exec(`
      pragma cache_size = -32768;
      create table names (name text primary key, line integer not null) without rowid;
      begin`);
    this.#find = this.#database.prepare('select line from names where name = ?');
    this.#add = this.#database.prepare('insert into names (name, line) values (?, ?)');
  }

  /** Notes the user of a line. @returns or what stands against it, in a sentence: nothing is noted then */
  add({ username, email }: NewUser, line: number): string | undefined {
    const name = canonical(username);
    const address = email === undefined ? undefined : canonical(email);
    const before =
      this.#lineOf(name) ?? (address === undefined ? undefined : this.#lineOf(address));
    if (before !== undefined) return `Line ${before} has that username or e-mail address already.`;
    this.#add.run(name, line);
    if (address !== undefined) this.#add.run(address, line);
    return undefined;
  }

  #lineOf(name: string): number | undefined {
    const line = this.#find.get(name)?.['line'];
    return typeof line === 'number' ? line : undefined;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
