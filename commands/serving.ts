import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { createApp, securityHeaders } from '../app.ts';
import { createLog } from '../config/log.ts';
import { createServices, type Services } from '../config/services.ts';
import type { Settings } from '../config/settings.ts';
import { createWebServices } from '../config/web-services.ts';
import { durationInWords } from '../core/durations.ts';
import { shownDatabaseUrl } from '../storage/database.ts';
import { drain, listen } from './listen.ts';
import { patiently } from './patience.ts';
import { answerRefusals } from './refusals.ts';
import { firstFault, firstSignal, onReload, PATIENCE } from './stopping.ts';
import { say } from './terminal.ts';
import { ordersOfPrimary } from './worker.ts';

/** Answers requests until it is told to stop, then finishes what it has begun and ends. */
export async function serve(settings: Settings): Promise<void> {
  const log = createLog(settings.logLevel, cluster.isWorker);
  const unready = new AbortController();
  const told = toldToStop(log, () => unready.abort());
  const opening = patiently(() => createServices(settings, { log }), log);
  const services = await Promise.race([opening, told]);
  if (typeof services === 'number') process.exit(services); // before there was anything to finish
  try {
    const web = await Promise.race([createWebServices(services), told]);
    if (typeof web === 'number') process.exit(web); // told to stop while the session store was waited for
    const server = await listen(createApp(web), settings, log);
    unready.signal.addEventListener('abort', () => (web.readiness.draining = true));
    answerRefusals(server, log, securityHeaders(web.site));
    banner(services, server);
    process.exitCode = await Promise.race([told, firstFault(log)]);
    web.readiness.draining = true;
    await drain(server, PATIENCE, settings.mode !== 'production');
    log.info('stopped');
  } finally {
    await services[Symbol.asyncDispose]();
  }
  if (process.exitCode !== 0 && cluster.isPrimary) process.exit(); // whatever an error has left running
}

/** @param unready called when no more requests should be sent here */
function toldToStop(log: Logger, unready: () => void): Promise<number> {
  if (cluster.isWorker) return ordersOfPrimary(unready);
  onReload(() =>
    log.warn('SIGHUP changes nothing: to be restarted without a gap, set WORKERS to 2 or more'),
  );
  return firstSignal(log);
}

/** For the log; and for a developer, who should not have to read the log to get going. */
function banner({ settings, log }: Services, server: Server): void {
  const { publicUrl, host, mode, databaseUrl, sessionStore, jwt } = settings;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  const first = (cluster.worker?.id ?? 1) === 1;
  if (mode === 'development' && process.stderr.isTTY && first)
    say(`Open ${publicUrl} (stop with Ctrl-C).`);
  log.info(
    {
      mode,
      listening: `${host}:${port}`,
      database: shownDatabaseUrl(databaseUrl),
      ...(sessionStore && { sessions: `${sessionStore.host}:${sessionStore.port}` }),
      algorithm: jwt.algorithm,
      token: durationInWords(jwt.expiresIn),
    },
    `Coatcheck is ready at ${publicUrl}`,
  );
}
