import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { ServiceProcess } from './service-process.ts';

/** `FUZZ_RUNS=10` makes every property run ten times as often. */
const FACTOR = Math.max(1, Number(process.env['FUZZ_RUNS'] ?? 1) || 1);

/** For a test that takes that long, in milliseconds, when `FUZZ_RUNS` is 1. */
export function patient(milliseconds: number): number {
  return milliseconds * FACTOR;
}

/** Runs the property with that many inputs, or as many times more as `FUZZ_RUNS` says. */
export async function holds<T>(
  inputs: fc.Arbitrary<T>,
  numRuns: number,
  property: (input: T) => Promise<void>,
): Promise<void> {
  const details = await fc.check(fc.asyncProperty(inputs, property), {
    numRuns: Math.ceil(numRuns * FACTOR),
  });
  if (!details.failed) return;
  const { seed, counterexamplePath, counterexample, errorInstance } = details;
  const input = fc.stringify(counterexample).slice(0, 1000); // a megabyte of it would help nobody
  throw new Error(`not for ${input} (seed ${seed}, path ${counterexamplePath ?? 'none'})`, {
    cause: errorInstance,
  });
}

/** Stands for a password or a token in junk: it may be neither answered nor logged. */
export const CANARY = `canary-${randomUUID()}`;

/** More than a service has under any load, in bytes. */
const MOST_MEMORY = 400 * 2 ** 20;

/** How many requests each service has had. */
const requests = new Map<ServiceProcess, number>();
after(() => {
  const all = [...requests.values()].reduce((sum, count) => sum + count, 0);
  process.stdout.write(`  ${all} requests of the fuzz tests were answered\n`);
});

/** What has to be true of the service after any storm. */
export async function expectUnharmed(service: ServiceProcess): Promise<void> {
  requests.set(service, service.written().match(/"msg":"request"/g)?.length ?? 0);
  expect(service.alive, 'the process still runs').to.equal(true);
  expect(await service.memory(), 'its memory').to.be.lessThan(MOST_MEMORY);
  expect((await fetch(`${service.url}/healthz`)).status).to.equal(200);
  expect(service.written()).to.not.include(CANARY);
  expect(service.written()).to.not.match(/request failed|"level":60|Warning/);
}
