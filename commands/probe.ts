import { openSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { systemClock } from '../core/clock.ts';
import { withServices } from './context.ts';
import { junitXml } from './probe/junit.ts';
import {
  apiAddress,
  durationUpTo,
  givenToken,
  header,
  type Headers,
  keySet,
  method,
} from './probe/options.ts';
import { issueOwnTokens } from './probe/own-tokens.ts';
import { printReport, reportJson, summary } from './probe/report.ts';
import { isAllGood, type Probe, type Report, runProbe } from './probe/run.ts';
import { printJson, say } from './terminal.ts';

interface Options {
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

export function probeCommand(program: Command): void {
  program
    .command('probe')
    .argument('<url>', 'an address of your API that answers 2xx to a good token', apiAddress)
    .description(
      'try what attackers try on an API of your own; exit code 1 if anything gets through',
    )
    .option(
      '--token-file <file>',
      'read the good token from a file; "-" is standard input (default)',
    )
    .option('--token <token>', 'the good token; the history of the shell keeps it')
    .option(
      '--issue',
      'beside the service: sign tokens with its key, for a user who does not exist',
    )
    .option('--audience <audience>', 'with --issue: the one of JWT_AUDIENCE that the API demands')
    .option('--jwks <file>', "the issuer's public keys, as at /.well-known/jwks.json")
    .option('--method <method>', 'how to ask', method, 'GET')
    .addOption(
      new Option('--header <line>', 'what the API needs besides: "Name: value"; may be repeated')
        .argParser(header)
        .default({}, 'none'),
    )
    .addOption(duration('--timeout', 'for one answer', 5, '1m'))
    .addOption(duration('--within', 'for all of it', 180, '8m'))
    .addOption(duration('--revocation', 'how long a logout may take to reach it', 65, '5m'))
    .option('--json', 'print the report as JSON')
    .option('--junit <file>', 'write it as JUnit XML too')
    .addHelpText('after', HELP)
    .action(async (url: URL, options: Options, command: Command) => {
      refuseContradictions(options, command);
      const given = { token: await givenToken(options), published: keySet(options.jwks) };
      const junit = options.junit === undefined ? undefined : openSync(options.junit, 'w');
      const report = await probe(url, options, given);
      if (options.json) {
        printJson(reportJson(report));
        say(summary(report));
      } else {
        printReport(report);
      }
      if (!isAllGood(report)) process.exitCode = 1;
      if (junit !== undefined) writeFileSync(junit, junitXml(report));
    });
}

function duration(name: string, what: string, seconds: number, most: string): Option {
  return new Option(`${name} <duration>`, `${what}, at most ${most}`)
    .argParser(durationUpTo(most))
    .default(seconds * 1000, `${seconds}s`);
}

const HELP = `
Sends at most 60 requests, one at a time, to that address only. Only probe what is yours.
Without --issue, what takes the key of the service is left out, such as expired and revoked tokens.

Examples:
  coatcheck probe http://localhost:4000/orders --issue
  coatcheck probe https://api.example.org/orders --token-file token.txt --junit probe.xml`;

/** With `--issue` the stores are open only for as long, and whatever was signed is revoked at the end, come what may. */
function probe(url: URL, options: Options, given: Given): Promise<Report> {
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
  options: Options,
  stopped: AbortSignal,
  given: Given,
): Promise<Report> {
  const { method: verb, header: headers, timeout, within } = options;
  if (url.protocol === 'http:' && !isLoopback(url)) {
    say('That is plain http: whoever listens on the way reads the good token.');
  }
  if (!isLoopback(url)) {
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
    ...(process.stderr.isTTY && { onProgress: showProgress }),
  });
}

/** One line that is written over and over, and is gone at the end. */
function showProgress(done: number, of: number, tried: string): void {
  process.stderr.write(`\r\u001b[K${done === of ? '' : `${done} of ${of}: ${tried}`}`);
}

function refuseContradictions(
  { token, tokenFile, issue, audience }: Options,
  command: Command,
): void {
  if (token !== undefined && tokenFile !== undefined) {
    command.error('error: give the good token once: --token or --token-file');
  }
  if (audience !== undefined && !issue) command.error('error: --audience is for --issue');
}

function isLoopback({ hostname }: URL): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
