import type { Aim, Findings } from './benchmark.ts';
import type { BenchOptions } from './options.ts';
import type { Figures } from './rounds.ts';
import { median, ratios, type Spread } from './statistics.ts';
import { renderTable, right, type Column } from './table.ts';

/** What was seen of one service. */
export interface Measured {
  readonly engine: string;
  readonly stored: number;
  /** What everything takes where the sessions are stored. */
  readonly bytes: number;
  readonly figures: readonly Figures[];
  readonly startMilliseconds: readonly number[];
  /** Memory of the service when all was over and it had rested. */
  readonly megabytes: number;
}

interface Row {
  readonly engine: string;
  readonly stored: number;
  readonly requestsPerSecond: number;
  readonly p99Milliseconds: number;
  readonly cpuMicroseconds: number;
  readonly startMilliseconds: number;
  readonly megabytes: number;
  readonly bytesPerSession: number;
  /** Requests per second, and memory, against the service of the same engine with the fewest sessions. */
  readonly rate: Spread;
  readonly moreMegabytes: number;
}

const leastRate = 0.85;
const mostMoreMegabytes = 20;
const longestStart = 2000;

export function scaleFindings(measured: readonly Measured[], options: BenchOptions): Findings {
  const rows = measured.map((one) => row(one, fewest(measured, one.engine)));
  const { sessions, rounds, seconds, connections } = options;
  const heading =
    `Stored sessions: requests go round over ${sessions} of them, ${connections} in flight, ` +
    `medians of ${rounds} rounds of ${seconds} s`;
  return {
    text: [heading, '', renderTable(columns, rows), '', ...notes].join('\n'),
    json: { sessions, rounds, seconds, connections, rows },
    aims: [...Map.groupBy(rows, ({ engine }) => engine).values()].flatMap(judge),
  };
}

function fewest(measured: readonly Measured[], engine: string): Measured {
  return measured
    .filter((one) => one.engine === engine)
    .reduce((least, one) => (one.stored < least.stored ? one : least));
}

function row(one: Measured, reference: Measured): Row {
  const middle = (pick: (figures: Figures) => number) => median(one.figures.map(pick));
  return {
    engine: one.engine,
    stored: one.stored,
    requestsPerSecond: middle(rate),
    p99Milliseconds: middle((figures) => figures.p99Milliseconds),
    cpuMicroseconds: middle((figures) => figures.cpuMicroseconds),
    startMilliseconds: median(one.startMilliseconds),
    megabytes: one.megabytes,
    bytesPerSession: one.bytes / one.stored,
    rate: ratios(one.figures.map(rate), reference.figures.map(rate)),
    moreMegabytes: one.megabytes - reference.megabytes,
  };
}

const rate = (figures: Figures) => figures.requestsPerSecond;

/** Of one engine: the most sessions against the fewest; of the starts, the slowest. */
function judge(rows: readonly Row[]): Aim[] {
  const most = rows.reduce((so, one) => (one.stored > so.stored ? one : so));
  const { engine, stored } = most;
  const start = Math.max(...rows.map(({ startMilliseconds }) => startMilliseconds)) / 1000;
  return [
    {
      aim: `${engine}: requests/s with ${stored} sessions at least ${leastRate} times those with the fewest`,
      measured: most.rate.median,
      met: most.rate.median >= leastRate,
    },
    {
      aim: `${engine}: at most ${mostMoreMegabytes} MB more memory`,
      measured: most.moreMegabytes,
      met: most.moreMegabytes <= mostMoreMegabytes,
    },
    {
      aim: `${engine}: starts in less than ${longestStart / 1000} s`,
      measured: start,
      met: start < longestStart / 1000,
    },
  ];
}

const columns: readonly Column<Row>[] = [
  { heading: 'engine', align: 'left', cell: ({ engine }) => engine },
  right('stored', (one) => one.stored.toString()),
  right('requests/s', (one) => one.requestsPerSecond.toFixed(0)),
  right('/ fewest', (one) => one.rate.median.toFixed(2)),
  right('min–max', (one) => `${one.rate.min.toFixed(2)}–${one.rate.max.toFixed(2)}`),
  right('p99 ms', (one) => one.p99Milliseconds.toFixed(2)),
  right('CPU µs', (one) => one.cpuMicroseconds.toFixed(1)),
  right('memory MB', (one) => one.megabytes.toFixed(0)),
  right('start s', (one) => (one.startMilliseconds / 1000).toFixed(2)),
  right('bytes/session', (one) => one.bytesPerSession.toFixed(0)),
];

const notes = [
  'CPU and memory: of the service process alone. Start: from spawning the process to /readyz 200.',
  'Bytes: of the database or of Redis, users, status entries and what is empty included.',
];
