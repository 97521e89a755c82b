/**
 * How an error of this package is answered. Every error has it, so whoever catches one (an `onRefused`, an error
 * handler of Express, which looks at `status` and `headers` by itself) can answer as the package would.
 */
export interface HttpForm {
  readonly status: number;
  /** One word for programs: the `code` of the problem details. */
  readonly code: string;
  /** The same for every error of that code (RFC 9457, section 3.1.3). */
  readonly title: string;
  /** Headers that the answer must have, `WWW-Authenticate` or `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The value of `WWW-Authenticate` (RFC 6750, section 3). Without an error code, it only asks for a token. */
export function challenge(error?: string, description?: string): string {
  if (error === undefined) return 'Bearer';
  const more =
    description === undefined ? '' : `, error_description="${withinQuotes(description)}"`;
  return `Bearer error="${error}"${more}`;
}

/** Only the characters that a description may have (RFC 6750, section 3). */
function withinQuotes(text: string): string {
  return text.replaceAll(/["\\]|[^ -~]/g, "'");
}
