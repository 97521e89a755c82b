import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { isoTime } from '../core/clock.ts';
import { KEY_PAIR_ALGORITHMS } from '../tokens/algorithms.ts';
import { exportKey } from '../tokens/key-export.ts';
import { importNextKey, type KeyReport, reportKeys } from '../tokens/key-operations.ts';
import { withServices } from './context.ts';
import { rotateCommand } from './key-rotation.ts';
import { printTimeTable, tableJson, time } from './key-time-table.ts';
import { print, printJson, printTable, say, standardInput } from './terminal.ts';

export function keyCommand(program: Command): void {
  const key = program
    .command('key')
    .description('look at, replace, import and export signing keys');
  listCommand(key);
  rotateCommand(key);
  importCommand(key);
  exportCommand(key);
}

function listCommand(key: Command): void {
  key
    .command('list')
    .description('list the keys that sign, are going to, or have signed tokens that are still good')
    .option('--all', 'those that are gone as well')
    .option('--json', 'print them as JSON')
    .action((options: { all?: true; json?: true }) =>
      withServices(async ({ keys }) => {
        const reports = await reportKeys(keys.context);
        const shown = reports.filter(({ state }) => options.all || state !== 'gone');
        if (options.json) return printJson(shown.map(keyJson));
        printTable(
          ['KEY', 'ALGORITHM', 'STATE', 'SINCE', 'NEXT'],
          shown.map((one) => [
            one.kid,
            one.algorithm,
            one.state,
            time(one.since),
            nextInWords(one),
          ]),
        );
        if (reports.length === 0)
          say('No keys yet: the service makes the first one when it starts.');
        return undefined;
      }),
    );
}

function keyJson({ kid, algorithm, state, since, next, successorAt }: KeyReport) {
  return {
    kid,
    algorithm,
    state,
    since: isoTime(since),
    next: next?.state ?? null,
    next_at: next ? isoTime(next.at) : null,
    successor_published_at: successorAt === undefined ? null : isoTime(successorAt),
  };
}

function nextInWords({ state, next, successorAt, algorithm }: KeyReport): string {
  if (next?.state === 'signing') return `signs from ${time(next.at)}`;
  if (next?.state === 'retired') return `retires ${time(next.at)}`;
  if (next?.state === 'gone') return `gone ${time(next.at)}`;
  if (state !== 'signing') return '';
  return successorAt === undefined
    ? `with ${algorithm}: when JWT_SECRET_KEY is changed`
    : `the key after it is published ${time(successorAt)}`;
}

function importCommand(key: Command): void {
  key
    .command('import <file>')
    .description('publish a private key from elsewhere as the next key; "-" reads standard input')
    .addOption(
      new Option('--algorithm <name>', 'what an RSA key is used for').choices([
        ...KEY_PAIR_ALGORITHMS,
      ]),
    )
    .option('--json', 'print the outcome as JSON')
    .addHelpText(
      'after',
      `
The key is a PEM (PKCS #8, PKCS #1 or SEC 1) without a passphrase, a JWK, or a JWK set of one, for JWT_ALGORITHM.

Example:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | coatcheck key import -`,
    )
    .action((file: string, options: { algorithm?: string; json?: true }) =>
      withServices(async ({ keys }) => {
        const text = file === '-' ? await standardInput() : readFileSync(file, 'utf8');
        const { advice, ...table } = await importNextKey(keys.context, text, options.algorithm);
        if (advice !== undefined) say(advice);
        if (options.json) return printJson(tableJson(table, false));
        say(
          `Published ${table.next.kid ?? ''} as the next key. Keep a copy until it signs; destroy it then.`,
        );
        return printTimeTable(table);
      }),
    );
}

function exportCommand(key: Command): void {
  key
    .command('export <kid>')
    .description('print the public half of a key; never a shared secret')
    .addOption(new Option('--format <name>', 'how').choices(['jwk', 'pem']).default('jwk'))
    .option('--private', 'the private half as well: whoever has it can make tokens')
    .action((kid: string, options: { format: string; private?: true }) =>
      withServices(async ({ keys, audit }) => {
        const { jwk, pem } = await exportKey(keys.context, kid, options.private === true);
        if (options.private) {
          await audit.record({ event: 'key.exported', subject: { kind: 'key', id: kid } });
        }
        if (options.private) say('This is a private key: whoever has it can make tokens.');
        if (options.format === 'jwk') printJson(jwk);
        else print(pem.trimEnd());
      }),
    );
}
