import type { Aim, Findings } from './benchmark.ts';
import type { BenchOptions } from './options.ts';
import type { Figures } from './rounds.ts';
import { median, ratios, type Spread } from './statistics.ts';
import { renderTable, type Column } from './table.ts';

/** Of each server, by name, its figures round by round. */
export type Results = ReadonlyMap<string, readonly Figures[]>;

/** The figures of one server over all rounds, as the report shows them. */
interface Row {
  readonly server: string;
  readonly requestsPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly cpuMicroseconds: number;
  readonly cpuToLimit: Spread | undefined;
  readonly instructions: number | undefined;
  readonly instructionsToLimit: Spread | undefined;
}

const mostCpuToLimit = 2.2;

/** Puts the rounds together: medians, ratios within rounds, and whether the aims are met. */
export function exchangeFindings(results: Results, options: BenchOptions): Findings {
  const rows = [...results].map(([server, figures]) => row(server, figures, results));
  const aims = judge(results);
  const { sessions, rounds, seconds, connections, spin } = options;
  const heading =
    `One exchange: ${sessions} sessions, ${connections} in flight${spin ? ', spinning' : ''}, ` +
    `medians of ${rounds} rounds of ${seconds} s`;
  return {
    text: [heading, '', renderTable(columns(rows), rows), '', ...footnotes(rows)].join('\n'),
    json: { sessions, rounds, seconds, connections, spin, servers: rows },
    aims,
  };
}

function row(server: string, figures: readonly Figures[], results: Results): Row {
  const limit = results.get('limit');
  const middle = (pick: (one: Figures) => number) => median(figures.map(pick));
  const counted = figures.some(({ instructions }) => instructions !== undefined);
  return {
    server,
    requestsPerSecond: middle((one) => one.requestsPerSecond),
    p50Milliseconds: middle((one) => one.p50Milliseconds),
    p99Milliseconds: middle((one) => one.p99Milliseconds),
    cpuMicroseconds: middle(cpu),
    cpuToLimit: limit && ratios(figures.map(cpu), limit.map(cpu)),
    instructions: counted ? middle(instructions) : undefined,
    instructionsToLimit:
      limit && counted ? ratios(figures.map(instructions), limit.map(instructions)) : undefined,
  };
}

const cpu = (figures: Figures) => figures.cpuMicroseconds;
const instructions = (figures: Figures) => figures.instructions ?? Number.NaN;

function judge(results: Results): Aim[] {
  const ours = results.get('coatcheck')?.map(cpu);
  const limit = results.get('limit')?.map(cpu);
  const tutorial = results.get('tutorial')?.map(cpu);
  const aims: Aim[] = [];
  if (ours && limit) {
    const measured = ratios(ours, limit).median;
    const aim = `CPU per exchange at most ${mostCpuToLimit} times the limit's`;
    aims.push({ aim, measured, met: measured <= mostCpuToLimit });
  }
  if (ours && tutorial) {
    const measured = ratios(ours, tutorial).median;
    aims.push({ aim: "CPU per exchange less than the tutorial's", measured, met: measured < 1 });
  }
  return aims;
}

function columns(rows: readonly Row[]): Column<Row>[] {
  const right = (heading: string, cell: (row: Row) => string): Column<Row> => {
    return { heading, align: 'right', cell };
  };
  const counted: Column<Row>[] = [
    right('instructions', (one) => one.instructions?.toFixed(0) ?? ''),
    right('/ limit', (one) => one.instructionsToLimit?.median.toFixed(2) ?? ''),
  ];
  return [
    { heading: 'server', align: 'left', cell: (one) => one.server },
    right('requests/s', (one) => one.requestsPerSecond.toFixed(0)),
    right('p50 ms', (one) => one.p50Milliseconds.toFixed(2)),
    right('p99 ms', (one) => one.p99Milliseconds.toFixed(2)),
    right('CPU µs', (one) => one.cpuMicroseconds.toFixed(1)),
    right('/ limit', (one) => one.cpuToLimit?.median.toFixed(2) ?? ''),
    right('min–max', (one) => range(one.cpuToLimit)),
    ...(hasInstructions(rows) ? counted : []),
  ];
}

function range(ratio: Spread | undefined): string {
  return ratio ? `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}` : '';
}

function hasInstructions(rows: readonly Row[]): boolean {
  return rows.some((one) => one.instructions !== undefined);
}

function footnotes(rows: readonly Row[]): string[] {
  const notes = ['CPU: user and system time of the server process per request.'];
  if (!hasInstructions(rows)) {
    notes.push('Instructions are not shown: perf, or a hardware counter for it, is not available.');
  }
  return notes;
}
