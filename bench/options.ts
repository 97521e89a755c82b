import { parseArgs } from 'node:util';

/** What a run of a benchmark can be told. */
export interface BenchOptions {
  /** Sessions that the requests take turns with. */
  readonly sessions: number;
  readonly rounds: number;
  /** Length of a round for one server, in seconds. */
  readonly seconds: number;
  /** Requests to each server before anything is measured. */
  readonly warmUp: number;
  /**
   * Each has one request in flight. With one, the server is woken for every request, as most are in
   * real use; with many it is kept busy, and what every server must do weighs less in the ratios.
   */
  readonly connections: number;
  /** Keep the load generator awake, so that servers are not charged for waking it. */
  readonly spin: boolean;
  /** Names of the servers to compare; undefined for all. */
  readonly servers: readonly string[] | undefined;
  /** How many sessions are stored, for each size that is compared. */
  readonly stored: readonly number[];
  /** What they are stored in; undefined for all. */
  readonly engines: readonly string[] | undefined;
}

/** The command line, taken apart. */
export interface Invocation {
  readonly what: string;
  readonly options: BenchOptions;
  readonly json: boolean;
  readonly assert: boolean;
  readonly help: boolean;
}

/** The command line cannot be followed; its message says why. */
export class UsageError extends Error {}

const usual = {
  sessions: 10_000,
  rounds: 7,
  seconds: 3,
  warmUp: 20_000,
  connections: 1,
  stored: '1000,100000,1000000',
};
const quick = {
  ...usual,
  sessions: 1_000,
  rounds: 3,
  seconds: 1,
  warmUp: 10_000,
  stored: '1000,20000',
};

export const optionsHelp = `Options:
  --sessions N       sessions the requests take turns with; verify: so many tokens (${usual.sessions})
  --rounds N         measured rounds (${usual.rounds})
  --seconds S        length of a round for each server (${usual.seconds})
  --warm-up N        requests to each server before the first round (${usual.warmUp})
  --connections N    each has one request in flight (${usual.connections}); with 16 the server is never idle
  --spin             keep the load generator awake between answers, at the price of one core:
                     steadier, and ratios come nearer to those of instructions
  --servers a,b      only these servers
  --stored A,B       scale: how many sessions are stored (${usual.stored}); the least is what others are compared to
  --engines a,b      scale, parts: only these of sqlite, postgres, redis
  --quick            a short run: ${quick.sessions} sessions, ${quick.rounds} rounds of ${quick.seconds} s, warm-up ${quick.warmUp},
                     ${quick.stored} stored
  --json             one JSON object instead of the table
  --assert           exit code 1 when an aim is missed
  --help             this text`;

const flags = {
  sessions: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  connections: { type: 'string' },
  spin: { type: 'boolean', default: false },
  servers: { type: 'string' },
  stored: { type: 'string' },
  engines: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  assert: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** @throws UsageError for an unknown option or a value that is not what it should be */
export function parseInvocation(args: readonly string[]): Invocation {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw new UsageError('one benchmark at a time');
  const defaults = values.quick ? quick : usual;
  const options = {
    sessions: wholeNumber('sessions', values.sessions, defaults.sessions),
    rounds: wholeNumber('rounds', values.rounds, defaults.rounds),
    seconds: positive('seconds', values.seconds, defaults.seconds),
    warmUp: wholeNumber('warm-up', values['warm-up'], defaults.warmUp),
    connections: wholeNumber('connections', values.connections, defaults.connections),
    spin: values.spin,
    servers: values.servers?.split(','),
    stored: (values.stored ?? defaults.stored)
      .split(',')
      .map((text) => wholeNumber('stored', text, Number.NaN)),
    engines: values.engines?.split(','),
  };
  const { json, assert, help } = values;
  return { what: positionals[0] ?? 'exchange', options, json, assert, help };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0 && value < Infinity)) throw new UsageError(`--${name} wants a number above 0`);
  return value;
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  const value = positive(name, text, fallback);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} wants a whole number`);
  return value;
}
