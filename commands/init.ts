import type { Command } from 'commander';
import { writeEnvFile } from '../config/env-file.ts';
import { say } from './terminal.ts';

export function initCommand(program: Command): void {
  program
    .command('init')
    .description(
      'write .env from .env.example with fresh secrets; an existing .env is never touched',
    )
    .addHelpText(
      'after',
      `
The file is for development: NODE_ENV=development, BYPASS_AUTH=true. Read it once; every setting is explained
in it. In production set the environment instead. The first "coatcheck serve" does this by itself.`,
    )
    .action(() => {
      const file = writeEnvFile();
      say(
        file === undefined
          ? '.env exists already. Nothing was changed.'
          : `Wrote ${file} with fresh secrets.`,
      );
    });
}
