import cluster from 'node:cluster';
import type { Command } from 'commander';
import { currentSettings } from './context.ts';

export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('answer requests until SIGTERM or Ctrl-C; what "npm start" runs')
    .action(async () => {
      const settings = await currentSettings();
      if (cluster.isPrimary && settings.workers > 1) {
        const { runWorkers } = await import('./workers.ts');
        return runWorkers(settings);
      }
      const { serve } = await import('./serving.ts');
      return serve(settings);
    });
}
