#!/usr/bin/env node
import cluster from 'node:cluster';
import { Command, CommanderError } from 'commander';
import { auditCommand } from '../commands/audit.ts';
import { backupCommand } from '../commands/backup.ts';
import { clientCommand } from '../commands/client.ts';
import { doctorCommand } from '../commands/doctor.ts';
import { BAD_SETTINGS, FAILED, USAGE } from '../commands/exit-codes.ts';
import { initCommand } from '../commands/init.ts';
import { keyCommand } from '../commands/key.ts';
import { migrateCommand } from '../commands/migrate.ts';
import { probeCommand } from '../commands/probe.ts';
import { serveCommand } from '../commands/serve.ts';
import { sessionCommand } from '../commands/session.ts';
import { say, visibleLines, write } from '../commands/terminal.ts';
import { tokenCommand } from '../commands/token.ts';
import { userCommand } from '../commands/user.ts';
import { SettingsError } from '../core/errors.ts';
import metadata from '../package.json' with { type: 'json' };

/**
 * Errors that a sentence says well enough; anything else is a mistake of ours, and needs its stack. Known by its name: the files
 * that these come from are loaded only by the commands that need them.
 */
const EXPECTED = [
  'SettingsError',
  'Problem',
  'StorageError',
  'TokenError',
  'UnavailableError',
  'ListenError',
];

const program = new Command('coatcheck')
  .description(metadata.description)
  .version(metadata.version)
  .showHelpAfterError('Try --help.')
  .configureOutput({
    writeOut: write,
    outputError: (text, writeErr) => writeErr(visibleLines(text)),
  })
  .addHelpText(
    'after',
    `
Settings come from the environment and from .env in this directory; see docs/settings.md.
Exit codes: 0 done, 1 failed, 2 wrong usage, 78 bad settings.`,
  );
for (const add of [
  serveCommand,
  initCommand,
  migrateCommand,
  userCommand,
  sessionCommand,
  keyCommand,
  clientCommand,
  tokenCommand,
  auditCommand,
  backupCommand,
  probeCommand,
  doctorCommand,
])
  add(program);
for (const command of everyCommand(program)) command.exitOverride();

let failure: string | undefined;
try {
  await program.parseAsync();
} catch (error) {
  failure = inWords(error);
  if (failure !== undefined) say(failure);
  process.exitCode = exitCodeOf(error);
}
if (cluster.isWorker) {
  const { takeLeave } = await import('../commands/worker.ts');
  await takeLeave(failure);
  process.exit(); // its channel to the primary would keep it waiting
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  return error instanceof SettingsError ? BAD_SETTINGS : FAILED;
}

/** What went wrong, for a person. */
function inWords(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined; // it has spoken already
  if (!(error instanceof Error)) return String(error);
  return visibleLines(isExpected(error) ? error.message : stackOf(error));
}

function isExpected(error: Error): boolean {
  return EXPECTED.includes(error.name) || 'syscall' in error; // of the system: "EACCES: permission denied, open '/srv/.env'"
}

function stackOf(error: Error): string {
  return error.stack ?? error.message;
}
