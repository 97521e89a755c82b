import type { Command } from 'commander';
import type { Services } from '../config/services.ts';
import { Problem } from '../core/errors.ts';
import { type Emergency, planEmergency } from '../tokens/key-emergency.ts';
import { rotateKeys } from '../tokens/key-operations.ts';
import { withServices } from './context.ts';
import { printTimeTable, tableJson } from './key-time-table.ts';
import { confirmed, counted, printJson, say } from './terminal.ts';

interface RotateOptions {
  dryRun?: true;
  emergency?: true;
  yes?: true;
  json?: true;
}

export function rotateCommand(key: Command): void {
  key
    .command('rotate')
    .description('publish the next key, which signs once every API can know it')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--emergency', 'reject all keys there are now, and sign with a new one at once')
    .option('--yes', 'do not ask before an emergency')
    .option('--json', 'print the outcome as JSON')
    .addHelpText(
      'after',
      `
Without options no token is refused and nobody has to do anything. --emergency is for a key that others may have:
all tokens of the present keys are refused from then on. With HS256, HS384 and HS512, change JWT_SECRET_KEY first.`,
    )
    .action((options: RotateOptions, command: Command) =>
      withServices(async (services) => {
        if (options.emergency) return emergency(services, options, command);
        const table = await rotateKeys(services.keys.context, options.dryRun === true);
        if (options.json) return printJson(tableJson(table, options.dryRun === true));
        if (table.pending) say('A key waits for its turn already. Nothing was changed.');
        else say(options.dryRun ? 'This would happen:' : 'Published the next key.');
        return printTimeTable(table);
      }),
    );
}

async function emergency(
  { keys, sessions }: Services,
  options: RotateOptions,
  command: Command,
): Promise<void> {
  const plan = await planEmergency(keys.context);
  const alive = (await sessions.list()).length;
  explain(plan, alive);
  if (options.dryRun) return report(plan, undefined, alive, options);
  if (!options.yes && !process.stdin.isTTY) {
    command.error('error: nothing was changed. Add --yes to do it without being asked');
  }
  if (!options.yes && !(await confirmed('Reject these keys now?'))) {
    throw new Problem('invalid_request', 'Nothing was changed.');
  }
  const signer = await plan.carryOut();
  say(
    plan.signer === undefined
      ? `Done. ${signer} signs; every process of the service follows within seconds.`
      : `Done. ${signer} signs. Start the service again: with another JWT_SECRET_KEY it issues no tokens.`,
  );
  return report(plan, signer, alive, options);
}

function explain({ rejected, rejectsSecret, signer }: Emergency, alive: number): void {
  say(`This rejects for good: ${rejected.join(', ')}.`);
  say(
    `- The tokens of ${counted(alive, 'live session')} are refused here within seconds. The sessions stay: apps fetch new tokens.`,
  );
  say(
    rejectsSecret
      ? '- APIs that have the rejected secret accept what is signed with it, until you take it from them.'
      : '- APIs may accept tokens of those keys for 20 minutes more, until their keys and those of caches on the way are 10 minutes old.',
  );
  if (signer === undefined) {
    say('- APIs and caches may refuse tokens of the new key for as long.');
  } else {
    say(`- JWT_SECRET_KEY (${signer}) signs. If that is the one that has leaked, change it first.`);
    say('- APIs that verify with the secret need the new one, and must forget the others.');
  }
}

function report(
  { rejected }: Emergency,
  signer: string | undefined,
  alive: number,
  { json }: RotateOptions,
): void {
  if (!json) return;
  printJson({ changed: signer !== undefined, rejected, signer: signer ?? null, sessions: alive });
}
