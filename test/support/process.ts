import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

/** How a process of its own ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/**
 * Runs a module in a process of its own, with the tests' Node.
 * @param source may import files of this repository as `#repo/<path>` and finds its arguments in `process.argv[1…]`
 */
export function runModule(source: string, ...args: string[]): Promise<Ended> {
  const code = source.replaceAll(/'#repo\/([^']+)'/g, (_, path: string) =>
    JSON.stringify(pathToFileURL(resolve(path)).href),
  );
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code, '--', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  }
  return new Promise((settle, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => settle({ code: exitCode, output: chunks.join('') }));
  });
}
