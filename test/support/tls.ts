import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';

/**
 * Writes a certificate that has signed itself, for localhost unless another name is given.
 * @returns false where there is no openssl to make it with
 */
export function makeCertificate(
  cert: string,
  key: string,
  { days = 1, name = 'localhost', newkey = 'ec -pkeyopt ec_paramgen_curve:prime256v1' } = {},
): boolean {
  const options = `req -x509 -newkey ${newkey} -nodes -days ${days} -subj /CN=${name} -addext subjectAltName=DNS:${name}`;
  const args = [...options.split(' '), '-keyout', key, '-out', cert];
  const { error, status } = spawnSync('openssl', args);
  return error === undefined && status === 0;
}

/** @param cert the only certificate that is trusted */
export async function fetchTls(url: string, cert: string, headers: Record<string, string> = {}) {
  const request = get(url, {
    ca: readFileSync(cert),
    headers,
    agent: false,
    lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  return new Promise<{ status: number | undefined; cookie: string }>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      const [cookie = ''] = response.headers['set-cookie'] ?? [];
      text(response).then(() => resolve({ status: response.statusCode, cookie }), reject);
    });
  });
}
