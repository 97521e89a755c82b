/**
 * What a name is looked up and kept unique by: compatibility-normalised (UAX #15, NFKC) and case-folded, so
 * that `Ada`, `ADA` and a full-width `ａｄａ` are one user. Upper case first: `ß` and `SS` then meet as well.
 * Folding can leave a text that normalises further, so it goes on until nothing changes.
 */
export function canonical(name: string): string {
  let current = name;
  for (;;) {
    const next = current.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
    if (next === current) return next;
    current = next;
  }
}

/**
 * A text from outside as it may be shown in a line: what moves the cursor, ends the line, turns the direction of writing
 * or is half a character becomes U+FFFD.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}

/**
 * JSON in which every control character is written as an escape: the same JSON, and harmless.
 * @param indent 0: all on one line
 */
export function visibleJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]|[\p{Cf}\p{Zl}\p{Zp}]/gu,
    escaped,
  );
}

function escaped(character: string): string {
  return character
    .split('') // an astral character is two escapes in JSON
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
