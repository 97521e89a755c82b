/** `npm run bench -- [what] [options]`: takes one of the measures and prints what it found. */
import type { Aim, Benchmark, Findings } from './benchmark.ts';
import { exchange } from './exchange.ts';
import { parts } from './parts.ts';
import { retention } from './retention.ts';
import { optionsHelp, parseInvocation, UsageError, type Invocation } from './options.ts';
import { scale } from './scale.ts';
import { storm } from './storm.ts';
import { verify } from './verify.ts';
import { workers } from './workers.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  exchange,
  parts,
  retention,
  scale,
  storm,
  verify,
  workers,
};

const exitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 };

function help(): string {
  const list = Object.entries(benchmarks).map(
    ([name, { summary }]) => `  ${name.padEnd(9)}  ${summary}`,
  );
  return ['Usage: npm run bench -- [what] [options]', '', ...list, '', optionsHelp].join('\n');
}

function verdict({ aim, measured, met }: Aim): string {
  return `${met ? 'met' : 'missed'}: ${aim} (${measured.toFixed(2)})`;
}

function print(what: string, findings: Findings, json: boolean): void {
  const { aims } = findings;
  if (json) {
    const { version: node, platform, arch } = process;
    console.log(JSON.stringify({ what, node, platform, arch, ...findings.json, aims }));
  } else {
    console.log([findings.text, '', ...aims.map(verdict)].join('\n'));
  }
}

/** Aborts on the first Ctrl-C, so that servers are ended; a second one ends the benchmark at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(new Error(`stopped by ${name}`)));
  }
  return controller.signal;
}

async function take({ what, options, json, assert }: Invocation): Promise<number> {
  const benchmark = benchmarks[what];
  if (!benchmark) throw new UsageError(`there is no benchmark called ${what}`);
  const signal = interruption();
  const progress = (line: string) => console.error(line);
  try {
    const findings = await benchmark.run(options, { signal, progress });
    print(what, findings, json);
    return assert && findings.aims.some(({ met }) => !met) ? exitCode.failed : exitCode.done;
  } catch (error) {
    if (signal.aborted) return exitCode.interrupted;
    throw error;
  }
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const invocation = parseInvocation(args);
    if (!invocation.help) return await take(invocation);
    console.log(help());
    return exitCode.done;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    if (!(error instanceof UsageError)) return exitCode.failed;
    console.error('Try: npm run bench -- --help');
    return exitCode.usage;
  }
}

process.exitCode = await main(process.argv.slice(2));
