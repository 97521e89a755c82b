import type { Server } from 'node:http';
import type { Command } from 'commander';
import type { Logger } from 'pino';
import { createApp, securityHeaders } from '../app.ts';
import { createServices, createWebServices, type Services } from '../config/services.ts';
import type { Settings } from '../config/settings.ts';
import { monotonic } from '../core/clock.ts';
import { durationInWords } from '../core/durations.ts';
import { loggable } from '../routes/errors.ts';
import { currentSettings } from './context.ts';
import { drain, listen } from './listen.ts';
import { answerRefusals } from './refusals.ts';
import { say } from './terminal.ts';

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
  const services = await createServices(settings);
  try {
    const web = await createWebServices(services);
    const server = await listen(createApp(web), settings);
    answerRefusals(server, services.log, securityHeaders(web.site));
    banner(services, server);
    process.exitCode = await Promise.race([firstSignal(services.log), firstFault(services.log)]);
    web.readiness.draining = true;
    await drain(server, PATIENCE);
    services.log.info('stopped');
  } finally {
    await services[Symbol.asyncDispose]();
  }
  if (process.exitCode !== 0) process.exit(); // whatever an error has left running
}

/** For the log; and for a developer, who should not have to read the log to get going. */
function banner({ settings, log }: Services, server: Server): void {
  const { publicUrl, host, mode, databaseUrl, jwt } = settings;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  if (mode === 'development' && process.stderr.isTTY) say(`Open ${publicUrl} (stop with Ctrl-C).`);
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

/** npm hands on a Ctrl-C that the terminal has sent to the whole group already: that soon it is the same one. */
const SAME_SIGNAL = 250;

/** Resolves at the first signal to stop. A second one ends the process on the spot. @returns the exit code */
function firstSignal(log: Logger): Promise<number> {
  return new Promise((resolve) => {
    let stopping: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping !== undefined && monotonic() - stopping > SAME_SIGNAL) process.exit(1);
      if (stopping !== undefined) return;
      stopping = monotonic();
      log.info({ signal }, 'stopping: finishing the requests in flight');
      resolve(0);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}

/**
 * Resolves at the first error that nothing has caught, a promise that nobody waited for included. What the
 * process knows may be wrong from there on: it finishes the requests in flight and ends, for whoever watches over
 * it to start it again. @returns the exit code
 */
function firstFault(log: Logger): Promise<number> {
  return new Promise((resolve) => {
    process.on('uncaughtException', (error: unknown) => {
      log.fatal({ error: loggable(error) }, 'stopping: an error was not caught anywhere');
      resolve(1);
    });
  });
}
