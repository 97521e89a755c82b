import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Benchmark, Findings, Surroundings } from './benchmark.ts';
import { cpuClock } from './cpu.ts';
import { warmUp } from './exchange.ts';
import { residentMegabytes } from './memory.ts';
import type { BenchOptions } from './options.ts';
import { Population } from './population.ts';
import { type Contestant, type Figures, playRound } from './rounds.ts';
import { serviceOver } from './scale.ts';
import { ServerProcess } from './server-process.ts';
import { median, ratios } from './statistics.ts';
import type { Answers, Storm } from './storm-clients.ts';
import { openSqliteStore } from './stores.ts';
import { type Column, renderTable } from './table.ts';

const CLIENTS = 200;

/** How long a storm blows before anything is measured, and the service rests after it, in milliseconds. */
const PAUSE = 1000;

const mostP99 = 3;
const leastRate = 0.5;
const mostMegabytes = 150;

/** One service, in calm and in storm by turns: two services at once would share the storm. */
export const storm: Benchmark = {
  summary: `the exchange while ${CLIENTS} clients try to log in with wrong passwords, against calm`,
  async run(options, surroundings) {
    await using store = await openSqliteStore();
    const population = new Population(options.sessions, Date.now());
    await store.write(population, surroundings);
    const settings = { ...store.settings, TRUST_PROXY: '127.0.0.1' };
    const contender = serviceOver(settings, population, 'coatcheck');
    const server = await ServerProcess.start(contender, surroundings.signal);
    try {
      const subject = { server, opened: population.some(options.sessions) };
      const contestant = await warmUp(contender, subject, options, surroundings);
      return findings(await measure(contestant, options, surroundings), options);
    } finally {
      await server.stop();
    }
  },
};

/** Of a round. */
interface Weather {
  readonly figures: Figures;
  readonly megabytes: number;
  /** To the clients of the storm, by status. */
  readonly answers: Answers;
}

type Measured = Readonly<Record<'calm' | 'stormy', readonly Weather[]>>;

async function measure(
  contestant: Contestant,
  { rounds, seconds }: BenchOptions,
  { progress, signal }: Surroundings,
): Promise<Measured> {
  const meters = { cpu: await cpuClock(), instructions: undefined };
  const { pid, port } = contestant.server;
  const measured: Record<keyof Measured, Weather[]> = { calm: [], stormy: [] };
  const play = async (answers: () => Promise<Answers>): Promise<Weather> => {
    const [figures] = await playRound([contestant], meters, seconds);
    if (figures === undefined) throw new Error('nothing was measured');
    return { figures, megabytes: await residentMegabytes(pid), answers: await answers() };
  };
  for (let round = 1; round <= rounds; round += 1) {
    measured.calm.push(await play(async () => ({})));
    const clients = new Clients({ port, clients: CLIENTS });
    await sleep(PAUSE, undefined, { signal });
    const weather = await play(() => clients.end());
    measured.stormy.push(weather);
    progress(
      `round ${round} of ${rounds}: answered in the storm ${JSON.stringify(weather.answers)}`,
    );
    await sleep(PAUSE, undefined, { signal });
  }
  return measured;
}

/** The clients, from the moment on at which they are made. */
class Clients {
  readonly #thread: Worker;
  readonly #answers: Promise<unknown[]>;

  constructor(workerData: Storm) {
    this.#thread = new Worker(new URL('./storm-clients.ts', import.meta.url), { workerData });
    this.#answers = once(this.#thread, 'message');
    this.#answers.catch(() => undefined); // whoever ends them is told
  }

  /** Lets each of them have its last answer. */
  async end(): Promise<Answers> {
    this.#thread.postMessage('over'); // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread has none
    const [answers] = await this.#answers;
    return answers as Answers; // oxlint-disable-line typescript/no-unsafe-type-assertion -- so storm-clients.ts says
  }
}

function findings(measured: Measured, options: BenchOptions): Findings {
  const { sessions, rounds, seconds, connections } = options;
  const ratio = (pick: (weather: Weather) => number) =>
    ratios(measured.stormy.map(pick), measured.calm.map(pick));
  const rate = ratio(({ figures }) => figures.requestsPerSecond);
  const p99 = ratio(({ figures }) => figures.p99Milliseconds);
  const megabytes = Math.max(...measured.stormy.map((weather) => weather.megabytes));
  const more = megabytes - Math.max(...measured.calm.slice(0, 1).map((calm) => calm.megabytes));
  const rows = (['calm', 'stormy'] as const).map((name) => ({ name, weather: measured[name] }));
  const spread = (text: string, { median: middle, min, max }: typeof rate) =>
    `${text}, storm / calm: ${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
  return {
    text: [
      `The exchange while ${CLIENTS} clients try wrong passwords: ${sessions} sessions in SQLite, ` +
        `${connections} in flight, medians of ${rounds} rounds of ${seconds} s`,
      '',
      renderTable(columns, rows),
      '',
      spread('requests/s', rate),
      spread('p99', p99),
      `memory, the most in a storm against the first calm: ${more.toFixed(0)} MB more`,
    ].join('\n'),
    json: { sessions, rounds, seconds, connections, rate, p99, moreMegabytes: more },
    aims: [
      {
        aim: `p99 at most ${mostP99} times that in calm`,
        measured: p99.median,
        met: p99.median <= mostP99,
      },
      {
        aim: `at least ${leastRate} times the calm requests/s`,
        measured: rate.median,
        met: rate.median >= leastRate,
      },
      {
        aim: `at most ${mostMegabytes} MB more memory`,
        measured: more,
        met: more <= mostMegabytes,
      },
    ],
  };
}

interface Row {
  readonly name: string;
  readonly weather: readonly Weather[];
}

const figure = (heading: string, digits: number, pick: (one: Weather) => number): Column<Row> => ({
  heading,
  align: 'right',
  cell: ({ weather }) => median(weather.map(pick)).toFixed(digits),
});

const answered = (status: string): Column<Row> =>
  figure(`${status}s`, 0, ({ answers }) => answers[status] ?? 0);

const columns: readonly Column<Row>[] = [
  { heading: '', align: 'left', cell: ({ name }) => name },
  figure('requests/s', 0, ({ figures }) => figures.requestsPerSecond),
  figure('p50 ms', 2, ({ figures }) => figures.p50Milliseconds),
  figure('p99 ms', 2, ({ figures }) => figures.p99Milliseconds),
  figure('CPU µs', 1, ({ figures }) => figures.cpuMicroseconds),
  figure('MB', 0, ({ megabytes }) => megabytes),
  answered('401'),
  answered('503'),
];
