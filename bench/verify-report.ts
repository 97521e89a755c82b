import type { Aim, Findings } from './benchmark.ts';
import { median, ratios, type Spread } from './statistics.ts';
import { renderTable } from './table.ts';

/** Of each contender, by name, the microseconds that one token took, round by round. */
export type Passes = Map<string, readonly number[]>;

interface Row {
  readonly algorithm: string;
  readonly contender: string;
  readonly microseconds: number;
  readonly toJose: Spread;
  readonly toJsonwebtoken: Spread;
}

const AIMS = {
  firstToJose: 1.15,
  againToJose: 0.1,
  againToJsonwebtoken: 1 / 3,
  listMilliseconds: 20,
};

/** @param statusList milliseconds that building one took, round by round */
export function verifyFindings(
  passes: ReadonlyMap<string, Passes>,
  statusList: readonly number[],
  size: { tokens: number; rounds: number },
): Findings {
  const rows = [...passes].flatMap(([algorithm, all]) => rowsOf(algorithm, all));
  const list = median(statusList);
  const heading = `One token: ${size.tokens} of them, medians of ${size.rounds} rounds`;
  const building = `A status list of 131,072 entries with 1,000 revoked: ${list.toFixed(1)} ms`;
  return {
    text: [heading, '', renderTable(COLUMNS, rows), '', building].join('\n'),
    json: { ...size, contenders: rows, statusListMilliseconds: list },
    aims: [...rows.flatMap(judge), listAim(list)],
  };
}

function rowsOf(algorithm: string, all: Passes): Row[] {
  const [jose = [], jsonwebtoken = []] = [all.get('jose'), all.get('jsonwebtoken')];
  return [...all].map(([contender, times]) => ({
    algorithm,
    contender,
    microseconds: median(times),
    toJose: ratios(times, jose),
    toJsonwebtoken: ratios(times, jsonwebtoken),
  }));
}

function judge({ algorithm, contender, toJose, toJsonwebtoken }: Row): Aim[] {
  const atMost = (what: string, most: number, { median: measured }: Spread): Aim => ({
    aim: `${algorithm}, ${what}`,
    measured,
    met: measured <= most,
  });
  if (contender.endsWith('first seen')) {
    return [atMost("first seen: at most 1.15 times bare jose's time", AIMS.firstToJose, toJose)];
  }
  if (!contender.endsWith('seen again')) return [];
  return [
    atMost("seen again: at most a tenth of bare jose's time", AIMS.againToJose, toJose),
    atMost(
      "seen again: at most a third of bare jsonwebtoken's time",
      AIMS.againToJsonwebtoken,
      toJsonwebtoken,
    ),
  ];
}

function listAim(measured: number): Aim {
  const aim = 'a status list is built in less than 20 ms';
  return { aim, measured, met: measured < AIMS.listMilliseconds };
}

const right = (heading: string, cell: (row: Row) => string) =>
  ({ heading, align: 'right', cell }) as const;

const COLUMNS = [
  { heading: 'algorithm', align: 'left', cell: (row: Row) => row.algorithm },
  { heading: 'contender', align: 'left', cell: (row: Row) => row.contender },
  right('µs', (row) => row.microseconds.toFixed(1)),
  right('/ jose', (row) => row.toJose.median.toFixed(3)),
  right('min–max', (row) => `${row.toJose.min.toFixed(3)}–${row.toJose.max.toFixed(3)}`),
  right('/ jsonwebtoken', (row) => row.toJsonwebtoken.median.toFixed(3)),
] as const;
