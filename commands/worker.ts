import cluster from 'node:cluster';
import { once } from 'node:events';
import { STOP_SIGNALS } from './stopping.ts';

/** What a primary tells a worker: to ask for no more requests; to finish those that it has and end. */
export const UNREADY = 'unready';
export const DRAIN = 'drain';

/**
 * What a worker listens to instead of signals, which a terminal and systemd send to all processes at once: its primary
 * says when it is its turn. Resolves at the order to stop, and when the primary is gone. @returns the exit code
 */
export function ordersOfPrimary(unready: () => void): Promise<number> {
  for (const signal of [...STOP_SIGNALS, 'SIGHUP']) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    process.on('message', (order: unknown) => {
      if (order === UNREADY) unready();
      if (order === DRAIN) resolve(0);
    });
    cluster.worker?.once('disconnect', () => {
      if (cluster.worker) cluster.worker.exitedAfterDisconnect = true; // or else Node ends the process here and now
      resolve(0);
    });
  });
}

/**
 * Takes leave of the primary. A connection that it has handed over and that is still on its way here is given back
 * before: then another worker gets it.
 *
 * @param failure why this worker ends, if not because it was told to
 */
export async function takeLeave(failure?: string): Promise<void> {
  const { worker } = cluster;
  if (!worker?.isConnected()) return;
  if (failure !== undefined) worker.send(failure);
  const gone = once(worker, 'disconnect');
  worker.disconnect();
  await gone;
}
