import type { Command } from 'commander';
import { currentSettings } from './context.ts';
import { printJson, say } from './terminal.ts';

export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the tables of the database up to date; "serve" does so too')
    .option('--json', 'print the migrations that were run as JSON')
    .action((options: { json?: true }) => migrate(options.json === true));
}

async function migrate(json: boolean): Promise<void> {
  const { databaseUrl } = await currentSettings();
  const { openDatabase } = await import('../storage/database.ts');
  const database = await openDatabase(databaseUrl);
  await database.close();
  const { migrated } = database;
  if (json) printJson({ migrated });
  else if (migrated.length === 0) say('The tables were up to date.');
  else say(`The tables are up to date now: ran ${migrated.join(', ')}.`);
}
