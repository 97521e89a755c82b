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

/** What has to be true of the service after any storm. */
export async function expectUnharmed(service: ServiceProcess): Promise<void> {
  expect(service.alive, 'the process still runs').to.equal(true);
  expect((await fetch(`${service.url}/healthz`)).status).to.equal(200);
  expect(service.written()).to.not.include(CANARY);
  expect(service.written()).to.not.match(/request failed|"level":60|Warning/);
}
