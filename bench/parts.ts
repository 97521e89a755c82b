import { PasswordHasher } from '../users/password.ts';
import type { Benchmark, Surroundings } from './benchmark.ts';
import { cpuClock } from './cpu.ts';
import { forRequests, LoadGenerator, type Sample } from './load.ts';
import type { BenchOptions } from './options.ts';
import { Population } from './population.ts';
import { get } from './request.ts';
import { chosenEngines, serviceOver } from './scale.ts';
import { ServerProcess } from './server-process.ts';
import { describe, type OpenSession } from './sessions.ts';
import { percentile } from './statistics.ts';
import type { OpenStore } from './stores.ts';
import { renderTable, right, type Column } from './table.ts';

/** Requests of each kind, each with a session of its own where it needs one. */
const REQUESTS = 2000;

const HOUR = 3_600_000;

/** What the service is asked, and what has to come. */
interface Part {
  readonly name: string;
  readonly connections: number;
  readonly requests: readonly Buffer[];
  readonly status: number;
}

interface Row {
  readonly engine: string;
  readonly part: string;
  readonly requestsPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly cpuMicroseconds: number;
}

/** One after the other: this compares nothing, it says what things cost. */
export const parts: Benchmark = {
  summary: 'what each part of the service costs: exchange, pages, status list, logout, password',
  async run(options, surroundings) {
    const rows: Row[] = [];
    for (const [engine, open] of chosenEngines(options.engines)) {
      surroundings.progress(`${engine}: storing ${options.sessions} sessions`);
      rows.push(...(await measure(engine, open, options, surroundings)));
    }
    surroundings.progress('hashing passwords');
    rows.push(await passwordHash());
    const heading = `What each part costs, with ${options.sessions} sessions`;
    const note = 'CPU: of the service process, for one request.';
    const text = [heading, '', renderTable(columns, rows), '', note].join('\n');
    return { text, json: { sessions: options.sessions, rows }, aims: [] };
  },
};

async function measure(
  engine: string,
  open: OpenStore,
  { sessions, warmUp }: BenchOptions,
  surroundings: Surroundings,
): Promise<Row[]> {
  await using store = await open();
  const population = new Population(sessions, Date.now(), Date.now() - HOUR);
  await store.write(population, surroundings);
  const contender = serviceOver(store.settings, population, engine);
  const server = await ServerProcess.start(contender, surroundings.signal);
  try {
    const { port, pid } = server;
    const { signal } = surroundings;
    const load = (part: Omit<Part, 'name' | 'status'>) =>
      new LoadGenerator({ port, spin: false, signal, ...part });
    const clock = await cpuClock();
    const drawn = population.some(4 * REQUESTS);
    const warm = drawn.slice(0, drawn.length / 4);
    await ask(load({ connections: 1, requests: exchanges(port, warm) }), warmUp);
    const rows: Row[] = [];
    for (const part of partsOf(port, [...population.lists()][0]?.id ?? '', drawn)) {
      surroundings.progress(`${engine}: ${part.name}`);
      const before = await clock(pid);
      const sample = await ask(load(part), part.requests.length);
      check(part, sample);
      rows.push(row(engine, part.name, sample, (await clock(pid)) - before));
    }
    return rows;
  } finally {
    await server.stop();
  }
}

const exchanges = (port: number, sessions: readonly OpenSession[]) =>
  sessions.map(({ cookie }) => get(port, '/auth/token', cookie));

/** The first quarter of the sessions has warmed the service up. */
function partsOf(port: number, list: string, drawn: readonly OpenSession[]): Part[] {
  const quarter = drawn.length / 4;
  const [seen, one, many] = [1, 2, 3].map((at) => drawn.slice(at * quarter, (at + 1) * quarter));
  const each = (target: string, sessions: readonly OpenSession[] = []) =>
    sessions.map(({ cookie }) => get(port, target, cookie));
  const same = (target: string, accept: string) =>
    Array.from({ length: REQUESTS }, () => get(port, target, undefined, accept));
  const alone = { connections: 1, status: 200 };
  return [
    { name: 'exchange, the first in a minute', ...alone, requests: each('/auth/token', seen) },
    { name: 'exchange, another one', ...alone, requests: each('/auth/token', seen) },
    { name: 'list of 100 own sessions', ...alone, requests: each('/auth/sessions', seen) },
    { name: 'sign-in page', ...alone, requests: same('/login', 'text/html') },
    {
      name: 'status list',
      ...alone,
      requests: same(`/status-lists/${list}`, 'application/statuslist+jwt'),
    },
    { name: 'logout', connections: 1, status: 204, requests: each('/auth/logout', one) },
    {
      name: 'logout, 16 at once',
      connections: 16,
      status: 204,
      requests: each('/auth/logout', many),
    },
  ];
}

async function ask(load: LoadGenerator, count: number): Promise<Sample> {
  const flow = await load.open();
  try {
    await flow.push(forRequests(count));
    return flow.sample();
  } finally {
    flow.close();
  }
}

/** @throws Error when an answer is not what it should be */
function check({ name, status }: Part, { failures, count, lastReplies }: Sample): void {
  const wrong = lastReplies.find(({ answer }) => answer.status !== status);
  if (wrong) throw new Error(`${name}: answered ${describe(wrong.answer)}`);
  if (failures !== (status === 200 ? 0 : count))
    throw new Error(`${name}: some answers were wrong`);
}

function row(engine: string, part: string, sample: Sample, cpuSeconds: number): Row {
  const { count, seconds, latencies } = sample;
  return {
    engine,
    part,
    requestsPerSecond: count / seconds,
    p50Milliseconds: percentile(latencies, 0.5),
    p99Milliseconds: percentile(latencies, 0.99),
    cpuMicroseconds: (cpuSeconds / count) * 1e6,
  };
}

/** What a login takes above all else, and nobody may skip. */
async function passwordHash(): Promise<Row> {
  const hasher = new PasswordHasher();
  await hasher.hash('seven wet umbrellas');
  const latencies: number[] = [];
  const used = process.cpuUsage();
  for (let turn = 0; turn < 50; turn += 1) {
    const began = performance.now();
    await hasher.hash('seven wet umbrellas');
    latencies.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(used);
  const sorted = Float64Array.from(latencies).toSorted();
  return {
    engine: '',
    part: 'password (argon2id)',
    requestsPerSecond: 1000 / (latencies.reduce((sum, one) => sum + one, 0) / latencies.length),
    p50Milliseconds: percentile(sorted, 0.5),
    p99Milliseconds: percentile(sorted, 0.99),
    cpuMicroseconds: (user + system) / latencies.length,
  };
}

const columns: readonly Column<Row>[] = [
  { heading: 'engine', align: 'left', cell: ({ engine }) => engine },
  { heading: 'part', align: 'left', cell: ({ part }) => part },
  right('a second', (one) => one.requestsPerSecond.toFixed(0)),
  right('p50 ms', (one) => one.p50Milliseconds.toFixed(2)),
  right('p99 ms', (one) => one.p99Milliseconds.toFixed(2)),
  right('CPU µs', (one) => one.cpuMicroseconds.toFixed(0)),
];
