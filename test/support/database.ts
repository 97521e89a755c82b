import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { type Database, openDatabase } from '../../storage/database.ts';
import { temporaryDirectory } from './directory.ts';

/** What a database may be kept by. */
export type Engine = 'SQLite' | 'PostgreSQL';

/** Where tests make databases of their own. */
const SERVER = 'postgres://postgres@127.0.0.1:5432';

/** Tests share a machine: nothing but a test of the deadlines should run into them. */
const PATIENT = '?connect_timeout=30&statement_timeout=30000';

const reachable: Readonly<Record<Engine, boolean>> = {
  SQLite: true,
  PostgreSQL: await administer('select 1').then(
    () => true,
    () => false,
  ),
};

/**
 * Runs the tests on each engine. Where none answers they are skipped, and fail if `REQUIRE_SERVICES=1` is set.
 * @param engines those that the tests are for
 */
export function onEngines(
  tests: (engine: Engine) => void,
  engines: readonly Engine[] = ['SQLite', 'PostgreSQL'],
): void {
  for (const engine of engines) {
    if (reachable[engine] || process.env['REQUIRE_SERVICES'] === '1') tests(engine);
    else it.skip(`on ${engine}: none answers at ${SERVER}`);
  }
}

/** A place for a database that nobody has opened yet. */
export interface DatabasePlace extends AsyncDisposable {
  /** For `openDatabase` and `DATABASE_URL`. */
  readonly url: string;
}

/** A database with all tables, gone when the test is over. */
export interface TemporaryDatabase extends DatabasePlace {
  readonly database: Database;
  /** Opens it once more, as another process does; closed with it at the latest. */
  another(): Promise<Database>;
}

/** The same in a file. */
export interface TemporaryFile extends TemporaryDatabase {
  readonly directory: string;
  readonly file: string;
}

export function temporaryPlace(engine: Engine): Promise<DatabasePlace> {
  return engine === 'SQLite' ? Promise.resolve(filePlace()) : serverPlace();
}

/** A database of SQLite. */
export async function temporaryFile(): Promise<TemporaryFile> {
  const place = filePlace();
  const { directory, file } = place;
  return { directory, file, ...(await opened(place)) };
}

export async function temporaryDatabase(engine: Engine): Promise<TemporaryDatabase> {
  return opened(await temporaryPlace(engine));
}

async function opened(place: DatabasePlace): Promise<TemporaryDatabase> {
  const all: Database[] = [];
  async function another(): Promise<Database> {
    const database = await openDatabase(place.url);
    all.push(database);
    return database;
  }
  async function dispose(): Promise<void> {
    for (const database of all) await database.close();
    await place[Symbol.asyncDispose]();
  }
  try {
    const database = await another();
    return { database, url: place.url, another, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function filePlace() {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'test.db');
  return {
    directory: directory.path,
    file,
    url: `sqlite:${file}`,
    async [Symbol.asyncDispose]() {
      directory[Symbol.dispose]();
    },
  };
}

/** Databases that this process has made and that no test uses now: to make one takes long, to empty it does not. */
const free: string[] = [];
const made: string[] = [];

/** Whoever is still in the database may hold what is to be dropped. */
const EMPTY = `
  select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();
  drop schema public cascade;
  create schema public;`;

async function serverPlace(): Promise<DatabasePlace> {
  const name = free.pop() ?? (await newDatabase());
  const url = `${SERVER}/${name}${PATIENT}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      await administer(EMPTY, `${SERVER}/${name}`);
      free.push(name);
    },
  };
}

async function newDatabase(): Promise<string> {
  const name = `coatcheck_test_${randomUUID().replaceAll('-', '')}`;
  made.push(name);
  await administer(`create database ${name} template template0 encoding 'UTF8'`);
  return name;
}

after(async () => {
  for (const name of made) await administer(`drop database if exists ${name} with (force)`);
});

/** Runs a statement on the server, or in one of its databases. */
export async function administer(statement: string, url = `${SERVER}/postgres`): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}
