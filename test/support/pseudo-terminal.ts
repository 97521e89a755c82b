import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnvironment, PROGRAM, until } from './command.ts';

/** Whether util-linux's `script` is here, which gives a program a terminal to talk to. */
export function hasPseudoTerminal(): boolean {
  return (
    spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false
  );
}

/** What is shown first, and what is then typed. */
export type Typing = readonly (readonly [prompt: string, keys: string])[];

/** Starts a command of Coatcheck on a terminal. To kill what is returned is to close the window. */
export function startOnTerminal(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
) {
  const quoted = [process.execPath, PROGRAM, ...args].map(
    (word) => `'${word.replaceAll("'", String.raw`'\''`)}'`,
  );
  return spawn('script', ['-qec', quoted.join(' '), '/dev/null'], {
    cwd,
    env: cleanEnvironment({ ...env, SHELL: '/bin/sh', TERM: 'xterm' }),
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
}

/** Runs a command of Coatcheck as a person would see it. @returns its exit code and all that was on the screen */
export async function runOnTerminal(args: readonly string[], cwd: string, typing: Typing) {
  const child = startOnTerminal(args, cwd);
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (screen += more));
  const closed = once(child, 'close');
  let seen = 0;
  for (const [prompt, keys] of typing) {
    await until(() => screen.includes(prompt, seen), child);
    seen = screen.indexOf(prompt, seen) + prompt.length;
    child.stdin.write(keys);
  }
  await closed;
  return { code: child.exitCode, screen };
}
