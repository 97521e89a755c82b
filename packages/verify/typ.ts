/** JWTs of any issuer, and access tokens as in RFC 9068, section 2.1. */
const TOKEN_TYPES = new Set(['jwt', 'at+jwt']);

/**
 * Whether a JWS with that `typ` is a token. Nothing else that the same key signs may pass for one (RFC 8725,
 * section 3.11), such as a status list.
 */
export function isTokenType(typ: unknown): boolean {
  return typ === 'JWT' || typ === 'at+jwt' || TOKEN_TYPES.has(normalised(typ));
}

export function isStatusListType(typ: unknown): boolean {
  return normalised(typ) === 'statuslist+jwt';
}

/** A media type in any case, with or without its `application/` (RFC 7515, section 4.1.9). */
function normalised(typ: unknown): string {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '';
}
