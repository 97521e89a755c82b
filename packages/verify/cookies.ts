/**
 * The values of all cookies of that name in a `Cookie` header (RFC 6265, section 4.2.1), as they were sent; empty ones
 * are none. Only blanks and tabs are no part of a name: a browser lets any site of the same domain set a cookie
 * called U+00A0 and the name of ours.
 */
export function cookieValues(header: string | undefined, name: string): string[] {
  const values: string[] = [];
  for (const item of header?.split(';') ?? []) {
    const pair = withoutBlanks(item);
    if (pair.startsWith(`${name}=`) && pair.length > name.length + 1) {
      values.push(pair.slice(name.length + 1));
    }
  }
  return values;
}

/** Without blanks and tabs around it. A regular expression for those at the end takes the square of the time. */
function withoutBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(0, end).replace(/^[ \t]+/, '');
}
