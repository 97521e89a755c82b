import { systemClock } from '../../../core/clock.ts';
import { SERVICE_CHECKS } from '../checks.ts';
import { examine, type Progress, type Result, unseen } from '../examine.ts';
import { NOWHERE } from './questions.ts';
import { Visit } from './visit.ts';

/** For all requests to a running service, in milliseconds. */
const LONGEST_VISIT = 120_000;

/** A running service, as far as it answers at all. @param timeout for one answer, in milliseconds */
export async function examineService(
  url: URL,
  timeout: number,
  onProgress: Progress,
): Promise<Result[]> {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const limits = AbortSignal.any([stopped.signal, AbortSignal.timeout(LONGEST_VISIT)]);
    const visit = new Visit(url, { clock: systemClock, timeout, stop: limits });
    await visit.ask(NOWHERE);
    return await examine(SERVICE_CHECKS, visit, onProgress);
  } catch (error) {
    return [{ check: 'service', ...unseen(error) }];
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
