/**
 * A whole GET request, ready to be written. The servers listen on 127.0.0.1 but know themselves as
 * localhost, so that is what the Host field says.
 */
export function get(
  port: number,
  target: string,
  cookie?: string,
  accept = 'application/json',
): Buffer {
  const fields = [
    `GET ${target} HTTP/1.1`,
    `Host: localhost:${port}`,
    `Accept: ${accept}`,
    ...(cookie === undefined ? [] : [`Cookie: ${cookie}`]),
  ];
  return Buffer.from(`${fields.join('\r\n')}\r\n\r\n`);
}
