import type { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { backupSqlite } from '../storage/backup.ts';
import { currentSettings } from './context.ts';
import { counted, printJson, say } from './terminal.ts';

export function backupCommand(program: Command): void {
  program
    .command('backup <file>')
    .description('copy the SQLite database while the service runs, and check the copy')
    .option('--json', 'print what it holds as JSON')
    .addHelpText(
      'after',
      `
The file must not exist yet. It holds password hashes and signing keys: keep it as safe as the database.
docs/operations.md says how to restore it, and what to do after that.`,
    )
    .action((file: string, options: { json?: true }) => takeBackup(file, options));
}

async function takeBackup(file: string, options: { json?: true }): Promise<void> {
  const { databaseUrl } = await currentSettings();
  if (/^postgres(ql)?:/.test(databaseUrl))
    throw new Problem('invalid_request', ofPostgres(databaseUrl, file));
  const contents = await backupSqlite(databaseUrl, file, {
    now: systemClock.now(),
    ...(process.stderr.isTTY ? { progress: showProgress } : {}),
  });
  if (options.json) return printJson({ file, ...contents });
  const { users, sessions, bytes } = contents;
  say(
    `Backed up ${counted(users, 'user')} and ${counted(sessions, 'session')} to ${file}, ${Math.ceil(bytes / 1024)} KiB, and found it sound.`,
  );
}

function showProgress(done: number): void {
  process.stderr.write(`\rCopying: ${Math.floor(done * 100)} %${done === 1 ? '\n' : ''}`);
}

/** The parameters of a URL that PostgreSQL's own programs know as well; they refuse any other. */
const LIBPQ_PARAMETERS = ['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/** What to do instead, with the command line to copy, but without the password. */
export function ofPostgres(databaseUrl: string, file: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  const known = [...url.searchParams].filter(([name]) => LIBPQ_PARAMETERS.includes(name));
  url.search = new URLSearchParams(known).toString();
  return `PostgreSQL brings its own program for backups, which runs while the service does:
  pg_dump --format=custom --file=${quoted(file)} ${quoted(url.href)}
It takes the password from PGPASSWORD or ~/.pgpass, or asks for it.`;
}

/** As one word of a shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
