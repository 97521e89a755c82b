import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark, Surroundings } from './benchmark.ts';
import { coatcheck, type Contender } from './contenders.ts';
import { playRounds, warmUp } from './exchange.ts';
import { residentMegabytes } from './memory.ts';
import { UsageError, type BenchOptions } from './options.ts';
import { Population } from './population.ts';
import type { Contestant } from './rounds.ts';
import { type Measured, scaleFindings } from './scale-report.ts';
import { ServerProcess } from './server-process.ts';
import { engines, type OpenStore } from './stores.ts';

/** How often each service is started, to see how long that takes. */
const STARTS = 3;

/** Makes a service collect its garbage when it is asked to: how much of it V8 keeps says nothing of what the service does. */
const COLLECTOR = import.meta.resolve('./collect-garbage.ts');

/** How long services rest before and after that, until their memory is looked at, in milliseconds. */
const REST = 5000;

/** Services with few and with many stored sessions take turns, on one engine after the other. */
export const scale: Benchmark = {
  summary: 'the exchange, memory and start with few and with many stored sessions',
  async run(options, surroundings) {
    const measured: Measured[] = [];
    for (const [engine, open] of chosenEngines(options.engines)) {
      measured.push(...(await measure(engine, open, options, surroundings)));
    }
    return scaleFindings(measured, options);
  },
};

export function chosenEngines(names: readonly string[] | undefined): [string, OpenStore][] {
  const unknown = names?.find((name) => !(name in engines));
  if (unknown !== undefined) throw new UsageError(`there is no engine called ${unknown}`);
  return Object.entries(engines).filter(([name]) => names === undefined || names.includes(name));
}

/** A service over a store that is full. */
interface Subject {
  readonly population: Population;
  readonly contender: Contender;
  readonly bytes: number;
}

/** Everything that is measured on one engine; the sizes side by side, so that they meet the same machine. */
async function measure(
  engine: string,
  open: OpenStore,
  options: BenchOptions,
  surroundings: Surroundings,
): Promise<Measured[]> {
  await using opened = new AsyncDisposableStack();
  const subjects: Subject[] = [];
  for (const count of options.stored) {
    surroundings.progress(`${engine}: storing ${count} sessions`);
    const store = opened.use(await open());
    const population = new Population(count, Date.now());
    const bytes = await store.write(population, surroundings);
    const contender = serviceOver(store.settings, population, `${engine}, ${count} sessions`);
    subjects.push({ population, contender, bytes });
  }
  const starts = await startTimes(subjects, surroundings);
  const contestants: Contestant[] = [];
  for (const { contender, population } of subjects) {
    const server = await ServerProcess.start(contender, surroundings.signal);
    opened.defer(() => server.stop());
    const drawn = population.some(options.sessions);
    contestants.push(await warmUp(contender, { server, opened: drawn }, options, surroundings));
  }
  const results = await playRounds(contestants, options, surroundings);
  surroundings.progress(`${engine}: letting the services rest`);
  await sleep(REST, undefined, { signal: surroundings.signal });
  for (const { server } of contestants) process.kill(server.pid, 'SIGUSR2');
  await sleep(REST, undefined, { signal: surroundings.signal });
  return await Promise.all(
    subjects.map(async ({ contender, population, bytes }, index) => ({
      engine,
      stored: population.count,
      bytes,
      figures: results.get(contender.name) ?? [],
      startMilliseconds: starts[index] ?? [],
      megabytes: await residentMegabytes(contestants[index]?.server.pid ?? 0),
    })),
  );
}

/** The service with its defaults, over a store that is full. */
export function serviceOver(
  settings: Readonly<Record<string, string>>,
  { secret }: Population,
  name: string,
): Contender {
  const service = coatcheck();
  return {
    ...service,
    name,
    command: ['--import', COLLECTOR, ...service.command],
    environment: (place) => ({
      ...service.environment(place),
      ...settings,
      SESSION_SECRET: secret,
      BYPASS_AUTH: 'false',
    }),
  };
}

async function startTimes(
  subjects: readonly Subject[],
  { signal, progress }: Surroundings,
): Promise<number[][]> {
  const times: number[][] = subjects.map(() => []);
  for (let turn = 1; turn <= STARTS; turn += 1) {
    progress(`start ${turn} of ${STARTS} of each service`);
    for (const [index, { contender }] of subjects.entries()) {
      const server = await ServerProcess.start(contender, signal);
      times[index]?.push(server.startMilliseconds);
      await server.stop();
    }
  }
  return times;
}
