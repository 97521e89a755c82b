import { type Command, InvalidArgumentError, Option } from 'commander';
import { isWell, type Result, UNUSABLE } from './doctor/examine.ts';
import { printReport, reportJson, summary } from './doctor/report.ts';
import { apiAddress, durationUpTo } from './probe/options.ts';
import { BAD_SETTINGS } from './exit-codes.ts';
import { printJson, say, sayOver } from './terminal.ts';

interface Options {
  readonly timeout: number;
  readonly json?: true;
}

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .argument('[url]', 'a running service to look at from outside, without the settings', origin)
    .description(
      'try the settings and the stores, and say what is weak; exit code 1 if anything is',
    )
    .addOption(
      new Option('--timeout <duration>', 'with a URL: for one answer, at most 1m')
        .argParser(durationUpTo('1m'))
        .default(5000, '5s'),
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', HELP)
    .action(async (url: URL | undefined, options: Options) => {
      const results = await examined(url, options.timeout);
      if (options.json) {
        printJson(reportJson(url?.origin, results));
        say(summary(results));
      } else {
        printReport(results);
      }
      process.exitCode = exitCodeFor(results);
    });
}

const HELP = `
Changes nothing: no table and no .env is made, and nothing is written but a small file beside the database of SQLite, to
see how long the disk takes, which is deleted at once. With a URL, sends at most 40 requests to that address and no other.
Exit codes: 0 nothing is wrong, 1 something is, 78 the settings cannot be used.

Examples:
  coatcheck doctor
  coatcheck doctor https://login.example.org`;

function origin(text: string): URL {
  const url = apiAddress(text);
  if (url.pathname === '/' && url.search === '') return url;
  throw new InvalidArgumentError('It must be the address of the service, without a path.');
}

/** What is behind it is loaded only here, so that other commands start sooner. */
async function examined(url: URL | undefined, timeout: number): Promise<Result[]> {
  try {
    if (url === undefined) {
      const { examineHere } = await import('./doctor/here.ts');
      return await examineHere(showProgress);
    }
    const { examineService } = await import('./doctor/service/examine.ts');
    return await examineService(url, timeout, showProgress);
  } finally {
    sayOver('');
  }
}

function exitCodeFor(results: readonly Result[]): number {
  if (results.some(({ check }) => check === UNUSABLE)) return BAD_SETTINGS;
  return isWell(results) ? 0 : 1;
}

function showProgress(check: string): void {
  sayOver(`${check} …`);
}
