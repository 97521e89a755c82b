/**
 * What is in the texts of keys: the lines of a PEM, the member that each JWK has, and in DER the names of the kinds of key
 * (RFC 3279, section 2.3) or the beginning of an RSA key without one (RFC 8017, appendix A.1).
 */
const MARKS =
  /-----(?:BEGIN|END)|(?:PUBLIC|PRIVATE) KEY|["'\\]kty\b|\x2a\x86\x48\x86\xf7\x0d\x01\x01|\x2a\x86\x48\xce\x3d\x02\x01|^0\x82..\x02\x82/s; // oxlint-disable-line no-control-regex -- DER is no text

/** What a setting does to a text on its way: quotes, blanks, and line breaks that were written out. */
const WRAPPING = /\\[nr]|[\s"']/g;

/**
 * Whether a secret is a key, public or private, whole, damaged or in base64. Everybody knows a public key, so everybody
 * could sign with it as a secret (RFC 8725, section 2.1).
 */
export function looksLikeAKey(secret: string): boolean {
  const decoded = Buffer.from(secret.replaceAll(WRAPPING, ''), 'base64').toString('latin1');
  return MARKS.test(secret) || MARKS.test(decoded);
}
