import type { CpuClock } from './cpu.ts';
import type { InstructionCounter } from './instructions.ts';
import { forSeconds, type LoadGenerator, type Sample } from './load.ts';
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
  /** User-space instructions of the server per request, where they can be counted. */
  readonly instructions: number | undefined;
}

/** Loads one server for a while and reads the meters at both ends. */
export async function measure(
  contestant: Contestant,
  meters: Meters,
  seconds: number,
): Promise<Figures> {
  const { pid } = contestant.server;
  return contestant.load.run(forSeconds(seconds), async (go) => {
    const metered = async () => {
      const before = await meters.cpu(pid);
      const sample = await go();
      return { sample, cpu: (await meters.cpu(pid)) - before };
    };
    const { result, instructions } = meters.instructions
      ? await meters.instructions(pid, metered)
      : { result: await metered(), instructions: undefined };
    contestant.check(result.sample);
    return figures(result.sample, result.cpu, instructions);
  });
}

function figures(sample: Sample, cpuSeconds: number, instructions: number | undefined): Figures {
  return {
    requestsPerSecond: sample.count / sample.seconds,
    p50Milliseconds: percentile(sample.latencies, 0.5),
    p99Milliseconds: percentile(sample.latencies, 0.99),
    cpuMicroseconds: (cpuSeconds / sample.count) * 1e6,
    instructions: instructions === undefined ? undefined : instructions / sample.count,
  };
}

/**
 * One at a time, every round beginning with another one, so that neither the place in the order nor
 * a slow minute of the machine favours anybody.
 */
export function inOrderOfRound<T>(contestants: readonly T[], round: number): readonly T[] {
  const first = round % Math.max(1, contestants.length);
  return [...contestants.slice(first), ...contestants.slice(0, first)];
}
