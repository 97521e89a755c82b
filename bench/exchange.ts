import type { Benchmark, Findings, Surroundings } from './benchmark.ts';
import { coatcheck, limit, tutorial, type Contender } from './contenders.ts';
import { type CpuClock, cpuClock } from './cpu.ts';
import { exchangeFindings, type Results } from './exchange-report.ts';
import { instructionCounter } from './instructions.ts';
import { forRequests, LoadGenerator } from './load.ts';
import { UsageError, type BenchOptions } from './options.ts';
import { get } from './request.ts';
import { playRound, type Contestant, type Figures } from './rounds.ts';
import { ServerProcess } from './server-process.ts';
import { type OpenSession, openSessions } from './sessions.ts';
import { checkTickets } from './tickets.ts';

/** A valid session cookie in, a signed JWT out, each request with another session. */
export const exchange: Benchmark = {
  summary: 'what it costs to exchange a session for a token',
  async run(options, surroundings) {
    const contenders = chosen([limit(), tutorial(), coatcheck()], options.servers);
    const servers: ServerProcess[] = [];
    try {
      for (const contender of contenders) {
        surroundings.progress(`starting ${contender.name}`);
        servers.push(await ServerProcess.start(contender, surroundings.signal));
      }
      return await compare(contenders, servers, options, surroundings);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

function chosen(all: readonly Contender[], names: readonly string[] | undefined): Contender[] {
  const unknown = names?.find((name) => !all.some((contender) => contender.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no server called ${unknown}`);
  return all.filter(({ name }) => names === undefined || names.includes(name));
}

async function compare(
  contenders: readonly Contender[],
  servers: readonly ServerProcess[],
  options: BenchOptions,
  surroundings: Surroundings,
): Promise<Findings> {
  const contestants: Contestant[] = [];
  for (const [index, contender] of contenders.entries()) {
    const server = servers[index];
    if (server) contestants.push(await prepare(contender, server, options, surroundings));
  }
  const results = await playRounds(contestants, options, surroundings);
  return exchangeFindings(results, options);
}

/** Opens the sessions, and exchanges them until the server is warm. */
export async function prepare(
  contender: Contender,
  server: ServerProcess,
  options: BenchOptions,
  surroundings: Surroundings,
): Promise<Contestant> {
  const { sessions } = options;
  surroundings.progress(`${contender.name}: opening ${sessions} sessions`);
  const opened = await openSessions({ port: server.port, sessions, signal: surroundings.signal });
  return warmUp(contender, { server, opened }, options, surroundings);
}

/** Exchanges sessions until the server's code is compiled and its caches full. */
export async function warmUp(
  { name, ticketKey, signsFor }: Contender,
  { server, opened }: { server: ServerProcess; opened: readonly OpenSession[] },
  options: BenchOptions,
  { signal, progress }: Surroundings,
): Promise<Contestant> {
  const { connections, spin } = options;
  const { port } = server;
  const requests = opened.map(({ cookie }) => get(port, '/auth/token', cookie));
  const load = new LoadGenerator({ port, connections, requests, spin, signal });
  const usernameFor = (request: number) => signsFor(opened[request]?.username ?? '');
  const contestant: Contestant = {
    server,
    load,
    check: (sample) => checkTickets(sample, { name, ticketKey, usernameFor }),
  };
  progress(`${name}: warming up with ${options.warmUp} requests`);
  const flow = await load.open();
  await flow.push(forRequests(options.warmUp));
  flow.close();
  contestant.check(flow.sample());
  return contestant;
}

/** @param cpu reads what the server of a contestant has used. Default: what its one process has */
export async function playRounds(
  contestants: readonly Contestant[],
  { rounds, seconds }: BenchOptions,
  { progress }: Surroundings,
  cpu?: CpuClock,
): Promise<Results> {
  const meters = { cpu: cpu ?? (await cpuClock()), instructions: await instructionCounter() };
  const results = new Map<string, Figures[]>(contestants.map(({ server }) => [server.name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    const figures = await playRound(contestants, meters, seconds);
    for (const [index, { server }] of contestants.entries()) {
      const own = figures[index];
      if (own) results.get(server.name)?.push(own);
    }
    progress(`round ${round} of ${rounds}: ${brief(contestants, figures)}`);
  }
  return results;
}

function brief(contestants: readonly Contestant[], figures: readonly Figures[]): string {
  const parts = contestants.map(({ server }, index) => {
    const cpu = figures[index]?.cpuMicroseconds ?? Number.NaN;
    return `${server.name} ${cpu.toFixed(1)} µs`;
  });
  return `CPU per request: ${parts.join(', ')}`;
}
