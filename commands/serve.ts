import type { Command } from 'commander';
import { createApp } from '../app.ts';
import { createServices, createWebServices, type Services } from '../config/services.ts';
import type { Settings } from '../config/settings.ts';
import { durationInWords } from '../core/durations.ts';
import { currentSettings } from './context.ts';
import { drain, listen } from './listen.ts';

/** How long requests in flight may take once the process has been told to stop, in milliseconds. */
const PATIENCE = 10_000;

export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('answer requests until SIGTERM or Ctrl-C; what "npm start" runs')
    .action(() => serve(currentSettings()));
}

/** Answers requests until SIGTERM or SIGINT, then finishes what it has begun and ends. */
async function serve(settings: Settings): Promise<void> {
  await using services = await createServices(settings);
  const web = await createWebServices(services);
  const server = await listen(createApp(web), settings);
  banner(services);
  const signal = await firstSignal();
  web.readiness.draining = true;
  services.log.info({ signal }, 'stopping: finishing the requests in flight');
  await drain(server, PATIENCE);
  services.log.info('stopped');
}

function banner({ settings, log }: Services): void {
  const { publicUrl, host, port, mode, databaseUrl, jwt } = settings;
  log.info(
    {
      mode,
      listening: `${host}:${port}`,
      database: databaseUrl,
      algorithm: jwt.algorithm,
      token: durationInWords(jwt.expiresIn),
    },
    `Coatcheck is ready at ${publicUrl}`,
  );
}

/** Resolves at the first signal to stop. A second one ends the process on the spot. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
}
