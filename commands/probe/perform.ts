import { openSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../core/clock.ts';
import { isLocalhostName } from '../../core/http.ts';
import { withServices } from '../context.ts';
import { printJson, say, sayOver } from '../terminal.ts';
import { givenToken, keySet } from './given.ts';
import { junitXml } from './junit.ts';
import type { Headers } from './options.ts';
import { issueOwnTokens } from './own-tokens.ts';
import { printReport, reportJson, summary } from './report.ts';
import { isAllGood, type Probe, type Report, runProbe } from './run.ts';

export interface ProbeOptions {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly issue?: true;
  readonly audience?: string;
  readonly jwks?: string;
  readonly method: string;
  readonly header: Headers;
  readonly timeout: number;
  readonly within: number;
  readonly revocation: number;
  readonly json?: true;
  readonly junit?: string;
}

/** What the API is shown. */
type Given = Pick<Probe, 'token' | 'published' | 'own'>;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Reads what was given, probes and reports. @returns whether everything was as it should be */
export async function performProbe(url: URL, options: ProbeOptions): Promise<boolean> {
  const given = { token: await givenToken(options), published: keySet(options.jwks) };
  const junit = options.junit === undefined ? undefined : openSync(options.junit, 'w');
  const report = await probe(url, options, given);
  if (options.json) {
    printJson(reportJson(report));
    say(summary(report));
  } else {
    printReport(report);
  }
  if (junit !== undefined) writeFileSync(junit, junitXml(report));
  return isAllGood(report);
}

/** With `--issue` the stores are open only for as long, and whatever was signed is revoked at the end, come what may. */
function probe(url: URL, options: ProbeOptions, given: Given): Promise<Report> {
  if (!options.issue) return untilStopped((stopped) => run(url, options, stopped, given));
  return withServices((services) =>
    untilStopped(async (stopped) => {
      await using own = await issueOwnTokens(services, options.audience, options.revocation);
      return await run(url, options, stopped, { ...given, own });
    }),
  );
}

/** No signal ends the process before the work has ended, not even a second one: npm hands on a Ctrl-C once more. */
async function untilStopped<T>(work: (stopped: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  const ignore = () => undefined; // a terminal that is gone can be told nothing
  for (const signal of SIGNALS) process.on(signal, stop);
  process.stderr.on('error', ignore);
  try {
    return await work(stopped.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    process.stderr.off('error', ignore);
  }
}

async function run(
  url: URL,
  options: ProbeOptions,
  stopped: AbortSignal,
  given: Given,
): Promise<Report> {
  const { method: verb, header: headers, timeout, within } = options;
  if (url.protocol === 'http:' && !isLocalhostName(url.hostname)) {
    say('That is plain http: whoever listens on the way reads the good token.');
  }
  if (!isLocalhostName(url.hostname)) {
    say('What calls the addresses in tokens is seen only if the API runs on this machine.');
  }
  const stop = AbortSignal.any([stopped, AbortSignal.timeout(within)]);
  return runProbe({
    target: { url, method: verb, headers, timeout },
    ...given,
    clock: systemClock,
    stop,
    pause: (milliseconds) => {
      say(
        `A revoked token is accepted so far. Asking again in ${Math.ceil(milliseconds / 1000)} s.`,
      );
      return delay(milliseconds, undefined, { signal: stop }).catch(() => undefined);
    },
    onProgress: (done, of, tried) => sayOver(done === of ? '' : `${done} of ${of}: ${tried}`),
  });
}
