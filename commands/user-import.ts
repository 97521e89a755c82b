import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import { firebaseParameters } from '../users/hashes/firebase.ts';
import { withServices } from './context.ts';
import { say } from './terminal.ts';
import { Progress } from './user-import/progress.ts';
import { Report, type ReportOptions } from './user-import/report.ts';
import type { Format } from './user-import/run.ts';

interface Options extends ReportOptions {
  readonly format?: Format;
  readonly firebase?: string;
  readonly dryRun?: true;
}

export function importCommand(user: Command): void {
  user
    .command('import')
    .argument('<file>', 'a .csv or .jsonl file, or "-" for standard input')
    .description(
      'add users with the hashes of their passwords from elsewhere; exit code 1 if any is refused',
    )
    .addOption(
      new Option('--format <format>', 'what the file is, if its name does not say').choices([
        'csv',
        'jsonl',
      ]),
    )
    .option('--firebase <file>', "what Firebase's console shows as password hash parameters")
    .option('--dry-run', 'say what would become of each, and change nothing')
    .option('--report <file>', 'write what became of each row into a new file')
    .option('--json', 'the report as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, options: Options, command: Command) => {
      const format = formatOf(file, options.format, command);
      const refused = await importFile(file, format, options);
      if (refused > 0) process.exitCode = 1;
    });
}

const HELP = `
Columns: username, password_hash, and as you have them email, name, roles, disabled, created_at, password_salt.
Nobody who exists is changed. If it is stopped half way, run it again: who is in already is passed over.
docs/importing-users.md has the hashes that are known, and how to get them out of Firebase and others.

Examples:
  coatcheck user import users.csv --dry-run
  coatcheck user import users.jsonl --firebase parameters.txt --report report.txt`;

function formatOf(file: string, given: Format | undefined, command: Command): Format {
  if (given !== undefined) return given;
  const extension = extname(file).toLowerCase();
  if (extension === '.csv') return 'csv';
  if (extension === '.jsonl') return 'jsonl';
  return command.error(
    `error: ${visible(file)} does not end in .csv or .jsonl: say --format csv or --format jsonl`,
  );
}

/** @returns how many rows were refused */
async function importFile(file: string, format: Format, options: Options): Promise<number> {
  const { firebase: parameters, dryRun = false } = options;
  const firebase =
    parameters === undefined ? undefined : firebaseParameters(readFileSync(parameters, 'utf8'));
  const { runImport } = await import('./user-import/run.ts');
  const { source, share } = await opened(file);
  return withServices(async ({ database, clock, log, audit }) => {
    await using report = await Report.open(options);
    const progress = new Progress({
      terminal: process.stderr.isTTY,
      write: (text) => void process.stderr.write(text),
    });
    try {
      const job = { database, audit, source, format, firebase, dryRun, now: clock.now(), log };
      for await (const lines of runImport(job)) {
        await report.add(lines);
        progress.show(report.total, share());
      }
    } finally {
      progress.end();
      say(summary(report.counts, dryRun));
    }
    return report.counts.refused;
  });
}

interface Opened {
  readonly source: Readable;
  /** How much of it has been read, if it is known how long it was; more than 1 if it has grown. */
  readonly share: () => number | undefined;
}

async function opened(file: string): Promise<Opened> {
  if (file === '-') return { source: process.stdin, share: () => undefined };
  const handle = await open(file);
  const facts = await handle.stat();
  if (facts.isDirectory()) {
    throw new Problem('invalid_request', `${visible(file)} is a directory: name a file in it.`);
  }
  const source = handle.createReadStream();
  return { source, share: () => (facts.size > 0 ? source.bytesRead / facts.size : undefined) };
}

function summary({ imported, exists, refused }: Report['counts'], dryRun: boolean): string {
  const [done, nothing] = dryRun ? ['Would import', ' Nothing was changed.'] : ['Imported', ''];
  return `${done} ${imported}; ${exists} there already; ${refused} refused.${nothing}`;
}
