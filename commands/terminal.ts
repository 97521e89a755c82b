import { text as readAll } from 'node:stream/consumers';
import { read } from 'read';
import { Problem } from '../core/errors.ts';

/** Prints lines on standard output: what was asked for, and nothing else. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Says something to whoever sits there, without getting into what is piped on. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Prints rows in columns under their headings. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const lines = [headings, ...rows.map((row) => row.map(visible))];
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  for (const line of lines) {
    print(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** A text from outside as it may be shown on a terminal: an escape sequence in it must not work there. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}

/** `2026-11-22 13:05` in UTC. */
export function shortTime(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** A new password: asked for twice without echo, or the first line of standard input. */
export async function newPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine(await readAll(process.stdin));
  const password = await ask('Password: ');
  if ((await ask('The same again: ')) !== password) {
    throw new Problem(
      'invalid_request',
      'The two passwords are not the same. Nothing was changed.',
    );
  }
  return password;
}

async function ask(prompt: string): Promise<string> {
  const answer = await read({ prompt, silent: true, output: process.stderr });
  say('');
  return answer;
}

/** What was given as an argument, or else standard input without the blanks around it. */
export async function argumentOrInput(argument: string | undefined): Promise<string> {
  if (argument !== undefined) return argument.trim();
  if (process.stdin.isTTY) say('Paste it, then press Ctrl-D:');
  return (await readAll(process.stdin)).trim();
}

function firstLine(input: string): string {
  return input.split(/\r?\n/, 1)[0] ?? '';
}
