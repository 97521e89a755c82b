import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/command.ts';

/** What a page of docs/verify says to run: the document is what is tested. */
export interface Recipe {
  /** File name in docs/verify. */
  readonly page: string;
  /** The heading that it stands under; left out, the page's own. */
  readonly section?: string;
  /** The language of its code block. */
  readonly language: string;
}

/** The first block of code of that language. @throws when there is none */
export function block({ page, section, language }: Recipe, index = 0): string {
  const text = readFileSync(join(ROOT, 'docs', 'verify', page), 'utf8');
  const start = section === undefined ? 0 : text.indexOf(`\n## ${section}\n`);
  const end = section === undefined ? text.length : text.indexOf('\n## ', start + 1);
  const part = text.slice(start, end === -1 ? text.length : end);
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  const found = start === -1 ? undefined : [...part.matchAll(fence)][index]?.[1];
  if (found === undefined) throw new Error(`${page} has no block of ${language} in its place`);
  return found;
}

/** The program of a page for that algorithm and `typ`; with a shared secret, as the page says to change it. */
export function program(recipe: Recipe, algorithm: string, typ: string): string {
  const shared = algorithm.startsWith('HS');
  const code = block(recipe);
  const written = shared ? patched(code, block({ ...recipe, language: 'diff' })) : code;
  return written
    .replaceAll(shared ? 'HS256' : 'ES256', algorithm)
    .replaceAll(/(['"])JWT\1/g, `$1${typ}$1`);
}

/** Does by hand what a diff says: lines that begin with `-` give way to the lines with `+` that follow them. */
function patched(code: string, diff: string): string {
  let result = code;
  for (const [, from = '', to = ''] of diff.matchAll(/((?:^-.*\n)+)((?:^\+.*\n)*)/gm)) {
    const before = unmarked(from);
    if (result.split(before).length !== 2) throw new Error(`not once in the program:\n${before}`);
    result = result.replace(before, () => unmarked(to));
  }
  return result;
}

const unmarked = (lines: string) => lines.replaceAll(/^[-+]/gm, '');
