import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './directory.ts';
import { freePort } from './free-port.ts';

/** A PostgreSQL of a test's own, which it may stop and start. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** Where its data and its configuration are. */
  readonly directory: string;
  /** Of the database "postgres", for its superuser; everybody is let in. */
  readonly url: string;
  start(): void;
  /** @param how `fast` ends all connections, `immediate` is as good as a crash */
  stop(how?: 'fast' | 'immediate'): void;
}

/** Where Debian and others put the programs that are not for everybody. */
const VERSIONS = '/usr/lib/postgresql';

function programs(): string | undefined {
  if (!existsSync(VERSIONS)) return undefined;
  const newest = readdirSync(VERSIONS).toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(VERSIONS, newest, 'bin');
}

/** Skips what needs a PostgreSQL of its own where it is not installed; with REQUIRE_SERVICES=1 that fails instead. */
export function skipWithoutPostgresServer(context: Mocha.Context): void {
  if (programs() !== undefined) return;
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error('PostgreSQL is not installed');
  context.skip(); // there is no PostgreSQL here
}

/** @returns a server that is not started yet */
export async function newPostgres(...options: string[]): Promise<PostgresServer> {
  const bin = programs() ?? '';
  const temporary = temporaryDirectory();
  const directory = join(temporary.path, 'data');
  const port = await freePort();
  const owner = ownerOf(temporary.path);
  const run = (program: string, ...args: string[]) => {
    const { status, stderr, error } = spawnSync(join(bin, program), args, {
      ...owner,
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${program} failed: ${stderr}`, { cause: error });
  };
  run('initdb', '--no-sync', '--auth=trust', '--username=postgres', '-E', 'UTF8', '-D', directory);
  const settings = [
    `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${temporary.path}`,
    '-c fsync=off -c shared_buffers=16MB',
    ...options,
  ].join(' ');
  const log = join(temporary.path, 'log');
  let started = false;
  const server: PostgresServer = {
    port,
    directory,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start() {
      run('pg_ctl', 'start', '-w', '-D', directory, '-l', log, '-o', settings);
      started = true;
    },
    stop(how = 'fast') {
      run('pg_ctl', 'stop', '-w', '-D', directory, '-m', how);
      started = false;
    },
    async [Symbol.asyncDispose]() {
      if (started) server.stop('immediate');
      temporary[Symbol.dispose]();
    },
  };
  return server;
}

/** PostgreSQL does not run as root: then as the user that its package has made. */
function ownerOf(directory: string): { uid?: number; gid?: number } {
  if (process.geteuid?.() !== 0) return {};
  const idOf = (kind: string) => Number(spawnSync('id', [kind, 'postgres']).stdout.toString());
  const owner = { uid: idOf('-u'), gid: idOf('-g') };
  chownSync(directory, owner.uid, owner.gid);
  return owner;
}
