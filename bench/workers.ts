import { availableParallelism } from 'node:os';
import type { Benchmark, Findings } from './benchmark.ts';
import { cpuClock, familyClock } from './cpu.ts';
import { playRounds, warmUp } from './exchange.ts';
import type { BenchOptions } from './options.ts';
import { Population } from './population.ts';
import type { Contestant, Figures } from './rounds.ts';
import { serviceOver } from './scale.ts';
import { ServerProcess } from './server-process.ts';
import { median, ratios } from './statistics.ts';
import { openSqliteStore } from './stores.ts';
import { renderTable, type Column } from './table.ts';

/** What takes turns, by how many processes answer. */
const CREWS = [1, 2] as const;

/** With fewer in flight the workers wait for the load generator. */
const LEAST_CONNECTIONS = 16;

const leastSpeedUp = 1.7;

/** One process and two of them, each over an SQLite of its own, take turns. */
export const workers: Benchmark = {
  summary: 'the exchange with two workers, against one',
  async run(given, surroundings) {
    const connections = Math.max(given.connections, LEAST_CONNECTIONS);
    const options = { ...given, connections };
    await using opened = new AsyncDisposableStack();
    const contestants: Contestant[] = [];
    for (const crew of CREWS) {
      const store = opened.use(await openSqliteStore());
      const population = new Population(options.sessions, Date.now());
      await store.write(population, surroundings);
      const settings = { ...store.settings, WORKERS: String(crew) };
      const contender = serviceOver(settings, population, nameOf(crew));
      const server = await ServerProcess.start(contender, surroundings.signal);
      opened.defer(() => server.stop());
      const warm = { server, opened: population.some(options.sessions) };
      // twice: when the first worker is ready, the second has yet to come, and connections stay where they are
      await warmUp(contender, warm, options, surroundings);
      contestants.push(await warmUp(contender, warm, options, surroundings));
    }
    const cpu = familyClock(await cpuClock());
    const results = await playRounds(contestants, options, surroundings, cpu);
    const rows = CREWS.map((crew) => ({ crew, figures: results.get(nameOf(crew)) ?? [] }));
    return findings(rows, options);
  },
};

function nameOf(crew: number): string {
  return crew === 1 ? '1 worker' : `${crew} workers`;
}

/**
 * The requests per second that a service would have answered if the load had come from another machine.
 *
 * The load generator needs about a third of a core for what one worker answers in a second. As long as there is a core for it
 * beside those of the workers, it takes nothing from them. What it uses beyond that, the workers could have had: they
 * had so much less than `crew` cores, and are counted as if they had answered as fast for the rest.
 */
export function withoutGenerator(
  { requestsPerSecond, generatorMicroseconds }: GeneratorFigures,
  crew: number,
  cores: number,
): number {
  const generator = (requestsPerSecond * generatorMicroseconds) / 1e6;
  const workerCores = Math.min(crew, cores);
  const taken = Math.max(0, workerCores + generator - cores);
  return (requestsPerSecond * workerCores) / (workerCores - taken);
}

type GeneratorFigures = Pick<Figures, 'requestsPerSecond' | 'generatorMicroseconds'>;

interface Row {
  readonly crew: number;
  readonly figures: readonly Figures[];
}

function findings(rows: readonly Row[], options: BenchOptions): Findings {
  const { sessions, rounds, seconds, connections } = options;
  const ratio = (pick: (one: Figures, crew: number) => number) => {
    const [one = [], two = []] = rows.map(({ crew, figures }) => figures.map((f) => pick(f, crew)));
    return ratios(two, one);
  };
  const asMeasured = ratio((one) => one.requestsPerSecond);
  const speedUp = ratio((one, crew) => withoutGenerator(one, crew, cores));
  const perCpuSecond = ratio((one) => 1e6 / one.cpuMicroseconds);
  const line = (text: string, { median: middle, min, max }: typeof speedUp) =>
    `${text}: ${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
  return {
    text: [
      `Two workers against one, on ${cores} cores: ${sessions} sessions in SQLite, ${connections} in flight, ` +
        `medians of ${rounds} rounds of ${seconds} s`,
      '',
      renderTable(columns, rows),
      '',
      line('requests/s, 2 workers / 1, as measured', asMeasured),
      line('without the load generator', speedUp),
      line('requests for one second of server CPU, 2 workers / 1', perCpuSecond),
      '',
      ...notes,
    ].join('\n'),
    json: { cores, sessions, rounds, seconds, connections, asMeasured, speedUp, perCpuSecond },
    aims: [
      {
        aim: `2 workers answer at least ${leastSpeedUp} times as much as 1, without the load generator`,
        measured: speedUp.median,
        met: speedUp.median >= leastSpeedUp,
      },
    ],
  };
}

const cores = availableParallelism();

const figure = (
  heading: string,
  digits: number,
  pick: (one: Figures, crew: number) => number,
): Column<Row> => ({
  heading,
  align: 'right',
  cell: ({ crew, figures }) => median(figures.map((one) => pick(one, crew))).toFixed(digits),
});

const columns: readonly Column<Row>[] = [
  { heading: 'service', align: 'left', cell: ({ crew }) => nameOf(crew) },
  figure('requests/s', 0, (one) => one.requestsPerSecond),
  figure('p50 ms', 2, (one) => one.p50Milliseconds),
  figure('p99 ms', 2, (one) => one.p99Milliseconds),
  figure('CPU µs', 1, (one) => one.cpuMicroseconds),
  figure('generator µs', 1, (one) => one.generatorMicroseconds),
  figure('without it', 0, (one, crew) => withoutGenerator(one, crew, cores)),
];

const notes = [
  'CPU: of all processes of the service, and of the load generator, for one request.',
  'Without it: the load generator has the core that one worker leaves free; what it uses beyond',
  'the free cores is given back to the workers, as if the load had come from another machine.',
];
