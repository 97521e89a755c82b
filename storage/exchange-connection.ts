import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { monotonic } from '../core/clock.ts';
import { explained } from './sqlite-errors.ts';

/** A turn can be long when much comes in at once. A look is not: after so many reads, or milliseconds, it is renewed. */
const MOST_READS = 64;
const LONGEST_LOOK = 5;

/**
 * A connection for what runs at every exchange. Finding out where the database stands takes longer than reading
 * a row, so all reads in one turn of the event loop share one look at it. Whoever writes through this process
 * calls `refresh` before, and what is read after that includes it. Writes here do not wait for the disk.
 */
export class ExchangeConnection {
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  readonly #refresh = () => this.refresh();
  #looking = false;
  #reads = 0;
  #until = 0;

  constructor(file: string | URL, busyTimeout: number) {
    this.#database = explained(() => new DatabaseSync(file, { timeout: busyTimeout }));
    // 8 MiB of pages hold the inner ones of the indexes of some millions of sessions, and the users who come often. The
    // rest comes from the memory in which the system keeps files, which all processes share.
    this.#database.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;');
    this.#begin = this.#database.prepare('begin');
    this.#end = this.#database.prepare('commit');
  }

  /** See `Database.prepareFirst`. Kysely's types vouch for the shape of the row, as they do for its own queries. */
  prepareFirst<Row>(sql: string): (parameters: readonly string[]) => Promise<Row | undefined> {
    const statement = explained(() => this.#database.prepare(sql));
    const names = statement.columns().map(({ name }) => name);
    statement.setReturnArrays(true); // an object of node:sqlite's is slow to make and slow to read
    const read = (parameters: readonly string[]): Row | undefined => {
      this.#look();
      const values: unknown = statement.get(...parameters);
      if (!isRow(values)) return undefined;
      const row: Record<string, unknown> = {};
      names.forEach((name, index) => {
        row[name] = values[index];
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a query answers, only its text knows
      return row as Row;
    };
    return async (parameters) => {
      try {
        return explained(() => read(parameters));
      } catch (error) {
        this.#forget();
        throw error;
      }
    };
  }

  /** See `Database.prepareRelaxed`. */
  prepareRelaxed<Row>(
    sql: string,
  ): (parameters: readonly SQLInputValue[]) => Promise<Row | undefined> {
    const statement = explained(() => this.#database.prepare(sql));
    return async (parameters) =>
      explained(() => {
        this.refresh(); // a look that somebody else has written since could not turn into a write
        // all rows: the write is committed behind the last one
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a query answers, only its text knows
        return statement.all(...parameters)[0] as Row | undefined;
      });
  }

  #look(): void {
    if (this.#looking && (this.#reads >= MOST_READS || monotonic() > this.#until)) this.refresh();
    this.#reads += 1;
    if (this.#looking) return;
    this.#begin.run();
    this.#looking = true;
    this.#reads = 1;
    this.#until = monotonic() + LONGEST_LOOK;
    setImmediate(this.#refresh);
  }

  /** Lets the next read look at the database anew. Never throws: whoever read has had the error already. */
  refresh(): void {
    if (!this.#looking) return;
    this.#looking = false;
    try {
      this.#end.run();
    } catch {
      this.#forget(); // a disk that fails: neither the look nor what was read is worth anything
    }
  }

  /** Ends the look at any price, and drops the pages that were read: the next read starts from the disk. */
  #forget(): void {
    this.#looking = false;
    try {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      this.#database.exec('PRAGMA shrink_memory');
    } catch {
      // the next read says what is wrong
    }
  }

  close(): void {
    this.refresh();
    if (this.#database.isOpen) this.#database.close();
  }
}

function isRow(values: unknown): values is unknown[] {
  return Array.isArray(values);
}
