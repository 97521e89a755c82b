import type { CpuClock } from './cpu.ts';
import type { InstructionCounter } from './instructions.ts';
import { forSeconds, type Flow, type LoadGenerator, type Sample } from './load.ts';
import type { ServerProcess } from './server-process.ts';
import { percentile } from './statistics.ts';

/** A server under a load, and what its answers must be. */
export interface Contestant {
  readonly server: ServerProcess;
  readonly load: LoadGenerator;
  /** @throws Error when the answers are not what they should be */
  readonly check: (sample: Sample) => void;
}

/** The meters that this machine has. */
export interface Meters {
  readonly cpu: CpuClock;
  readonly instructions: InstructionCounter | undefined;
}

/** The figures of one server in one round. */
export interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  /** CPU time of the server per request, user and system, in microseconds. */
  readonly cpuMicroseconds: number;
  /** The same of the load generator. */
  readonly generatorMicroseconds: number;
  /** User-space instructions of the server per request, where they can be counted. */
  readonly instructions: number | undefined;
}

/**
 * A turn of one server. Short, because a shared machine changes its speed from one second to the
 * next: what changes slower than this is the same for all.
 */
const turnSeconds = 0.2;

/**
 * Loads the servers in turns, one at a time, each for `seconds` in all.
 *
 * @returns the figures in the order of the contestants
 */
export async function playRound(
  contestants: readonly Contestant[],
  meters: Meters,
  seconds: number,
): Promise<readonly Figures[]> {
  const players: Player[] = [];
  try {
    for (const contestant of contestants) {
      players.push({ contestant, flow: await contestant.load.open() });
    }
    const pids = contestants.map(({ server }) => server.pid);
    const used = await metered(pids, meters, () => takeTurns(players, seconds));
    return players.map((player, index) => figures(player, used[index]));
  } finally {
    for (const { flow } of players) flow.close();
  }
}

interface Player {
  readonly contestant: Contestant;
  readonly flow: Flow;
}

/** Every time another one begins, so that nobody always follows the same other. */
async function takeTurns(players: readonly Player[], seconds: number): Promise<void> {
  const turns = Math.max(1, Math.round(seconds / turnSeconds));
  for (let turn = 0; turn < turns; turn += 1) {
    const first = turn % players.length;
    for (const { flow } of [...players.slice(first), ...players.slice(0, first)]) {
      await flow.push(forSeconds(seconds / turns));
    }
  }
}

/** What a server process used up. */
interface Usage {
  readonly cpuSeconds: number;
  readonly instructions: number | undefined;
}

/**
 * Reads the meters of all servers before and after. A server uses nothing worth counting while the
 * others have their turn, so the coarse clock is read twice, not at every turn.
 */
async function metered(
  pids: readonly number[],
  { cpu, instructions }: Meters,
  work: () => Promise<void>,
): Promise<readonly Usage[]> {
  const before = await Promise.all(pids.map(cpu));
  const counts = instructions ? await instructions(pids, work) : undefined;
  if (!counts) await work();
  const after = await Promise.all(pids.map(cpu));
  return pids.map((_, index) => ({
    cpuSeconds: (after[index] ?? Number.NaN) - (before[index] ?? Number.NaN),
    instructions: counts?.[index],
  }));
}

function figures({ contestant, flow }: Player, used: Usage | undefined): Figures {
  const sample = flow.sample();
  contestant.check(sample);
  const { count, seconds, cpuSeconds, latencies } = sample;
  return {
    requestsPerSecond: count / seconds,
    p50Milliseconds: percentile(latencies, 0.5),
    p99Milliseconds: percentile(latencies, 0.99),
    cpuMicroseconds: ((used?.cpuSeconds ?? Number.NaN) / count) * 1e6,
    generatorMicroseconds: (cpuSeconds / count) * 1e6,
    instructions: used?.instructions === undefined ? undefined : used.instructions / count,
  };
}
