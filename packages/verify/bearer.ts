/** What an `Authorization` header turned out to be. */
export type BearerResult = { token: string } | 'none' | 'malformed';

/**
 * The token of an `Authorization` header (RFC 6750, section 2.1, with the scheme in any case as RFC 9110,
 * section 11.1, has it). `none` where there are no Bearer credentials at all.
 */
export function bearerToken(authorization: string | undefined): BearerResult {
  if (authorization === undefined || !/^bearer(?: |$)/i.test(authorization)) return 'none';
  const match = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization);
  return match?.[1] === undefined ? 'malformed' : { token: match[1] };
}
