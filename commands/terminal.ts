import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { buffer, text as readAll } from 'node:stream/consumers';
import { Problem } from '../core/errors.ts';
import { visible, visibleJson } from '../core/text.ts';

/** Prints lines on standard output: what was asked for, and nothing else. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** The same without the end of the line. */
export function write(text: string): void {
  if (!process.stdout.listeners('error').includes(leave)) process.stdout.on('error', leave);
  process.stdout.write(text);
}

/** Whoever reads may have seen enough, as `head` has, which is no mistake. A disk that is full is one. */
function leave({ code, message }: NodeJS.ErrnoException): never {
  if (code === 'EPIPE') process.exit();
  say(message);
  process.exit(1);
}

/** Says something to whoever sits there, without getting into what is piped on. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(visibleJson(value));
}

/** Prints rows in columns under their headings. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = columnWidths(headings, rows);
  for (const line of [headings, ...rows]) printRow(line, widths);
}

/** How wide the columns of that table are. */
export function columnWidths(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): number[] {
  return headings.map((heading, column) =>
    rows.reduce(
      (widest, row) => Math.max(widest, visible(row[column] ?? '').length),
      heading.length,
    ),
  );
}

/** Prints one more row of a table with columns of those widths. */
export function printRow(cells: readonly string[], widths: readonly number[]): void {
  const padded = cells.map((cell, column) => visible(cell).padEnd(widths[column] ?? 0));
  print(padded.join('  ').trimEnd());
}

/** A message of several lines as it may be shown on a terminal: an escape sequence in it must not work there. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** `1 session`, `2 sessions`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** One line that is written over and over; an empty one takes it away. Only a terminal gets it. */
export function sayOver(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** `2026-11-22 13:05` in UTC. */
export function shortTime(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** A new password: asked for twice without echo, or the first line of standard input. */
export async function newPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine(utf8(await buffer(process.stdin)));
  const [password, again] = await askUnseen('Password: ', 'The same again: ');
  if (password === undefined || again === undefined) {
    throw new Problem('invalid_request', 'Cancelled. Nothing was changed.');
  }
  if (again !== password) {
    throw new Problem(
      'invalid_request',
      'The two passwords are not the same. Nothing was changed.',
    );
  }
  return password;
}

/** Asks on the terminal without echo. The answers end early when somebody presses Ctrl-C or Ctrl-D. */
async function askUnseen(...prompts: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_text, _encoding, done) => done() });
  const lines = createInterface({
    input: process.stdin,
    output: nowhere, // what readline would show of the typing
    terminal: true,
    historySize: 0,
  });
  const typed = lines[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const prompt of prompts) {
      process.stderr.write(prompt);
      const { value, done } = await typed.next();
      say('');
      if (done) break;
      answers.push(value);
    }
    return answers;
  } finally {
    lines.close();
  }
}

/** What was given as an argument, or else standard input without the blanks around it. */
export async function argumentOrInput(argument: string | undefined): Promise<string> {
  return (argument ?? (await standardInput())).trim();
}

/** Everything on standard input, as it is. */
export function standardInput(): Promise<string> {
  if (process.stdin.isTTY) say('Paste it, then press Ctrl-D:');
  return readAll(process.stdin);
}

/** Asks a question on the terminal. @returns whether the answer is yes; no answer is a no */
export async function confirmed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, historySize: 0 });
  try {
    process.stderr.write(`${question} [y/N] `);
    const { value, done } = await lines[Symbol.asyncIterator]().next();
    return !done && /^y(es)?$/i.test(value.trim());
  } finally {
    lines.close();
  }
}

function firstLine(input: string): string {
  return input.split(/\r?\n/, 1)[0] ?? '';
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem('invalid_request', 'The password on standard input is not valid UTF-8.');
  }
}
