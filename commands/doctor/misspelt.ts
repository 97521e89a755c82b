/** A name that nothing reads, and the setting that it looks like. */
export interface Misspelt {
  readonly name: string;
  readonly meant: string;
}

/** Shorter names are too much like others: HOST is one letter from POST, and two from HOME. */
const SHORTEST = 7;

/** The names that look like one that is known, in order: other letters, another case, something behind it or missing. */
export function misspelt(names: readonly string[], known: readonly string[]): Misspelt[] {
  const candidates = known.filter((one) => one.length >= SHORTEST);
  return names
    .filter((name) => name.length >= SHORTEST && !known.includes(name))
    .flatMap((name) => {
      const meant = candidates.find((one) => looksLike(bare(name), bare(one)));
      return meant === undefined ? [] : { name, meant };
    });
}

const bare = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');

function looksLike(name: string, setting: string): boolean {
  return (
    name.startsWith(setting) ||
    setting.startsWith(name) ||
    (name[0] === setting[0] &&
      distance(name, setting) <= Math.min(3, Math.floor(setting.length / 3)))
  );
}

/** How many letters have to be added, taken away or changed (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of one.split('').entries()) {
    const next = [index + 1];
    for (const [column, theirs] of other.split('').entries()) {
      const [left = 0, above = 0, corner = 0] = [next[column], row[column + 1], row[column]];
      next.push(Math.min(left + 1, above + 1, corner + (letter === theirs ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
