/**
 * The address, if keys and status lists may be fetched from there: https, or http on this machine. Over plain http
 * anybody on the way could put in keys of their own.
 * @param allowHttp lets http through on any host
 */
export function webAddress(text: unknown, allowHttp: boolean): URL | undefined {
  const url = typeof text === 'string' ? URL.parse(text) : null;
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  if (url.protocol === 'https:') return url;
  return url.protocol === 'http:' && (allowHttp || isLocalhost(url.hostname)) ? url : undefined;
}

/** Names that always mean this machine (RFC 6761, section 6.3), as a URL writes them. */
function isLocalhost(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
