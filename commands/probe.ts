import { type Command, Option } from 'commander';
import { apiAddress, durationUpTo, header, method } from './probe/options.ts';
import type { ProbeOptions } from './probe/perform.ts';

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
    .action(async (url: URL, options: ProbeOptions, command: Command) => {
      refuseContradictions(options, command);
      const { performProbe } = await import('./probe/perform.ts');
      const isGood = await performProbe(url, options);
      if (!isGood) process.exitCode = 1;
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

function refuseContradictions(
  { token, tokenFile, issue, audience }: ProbeOptions,
  command: Command,
): void {
  if (token !== undefined && tokenFile !== undefined) {
    command.error('error: give the good token once: --token or --token-file');
  }
  if (audience !== undefined && !issue) command.error('error: --audience is for --issue');
}
