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
