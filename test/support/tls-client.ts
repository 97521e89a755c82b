import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A certificate for that name, signed by itself. @returns `undefined` where there is no openssl to make one */
export function certificate(directory: string, name: string) {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const options =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -addext basicConstraints=critical,CA:FALSE';
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const args = [...options.split(' '), ...names, '-keyout', key, '-out', cert];
  return spawnSync('openssl', args).status === 0 ? { cert, key } : undefined;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Headers;
  readonly body: string;
}

/** A browser's worth of https to a site that is really on a port of this machine: keeps cookies, trusts one certificate. */
export class TlsClient {
  readonly cookies = new Map<string, string>();
  readonly #site: { name: string; port: number; cert: string };

  constructor(site: { name: string; port: number; cert: string }) {
    this.#site = site;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, headers);
  }

  /** Posts JSON. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const json = { 'Content-Type': 'application/json', ...headers };
    return this.send('POST', path, json, JSON.stringify(body));
  }

  send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body = '',
  ): Promise<Answer> {
    const { name, port, cert } = this.#site;
    const Cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const outgoing = request({
      host: '127.0.0.1',
      port,
      servername: name,
      ca: readFileSync(cert),
      agent: false,
      method,
      path,
      headers: { Host: name, 'Content-Length': Buffer.byteLength(body), Cookie, ...headers },
    });
    return new Promise((resolve, reject) => {
      outgoing.once('error', reject);
      outgoing.once('response', (response) => {
        const received = new Headers();
        for (const [header, values = []] of Object.entries(response.headersDistinct)) {
          for (const value of values) received.append(header, value);
        }
        for (const line of received.getSetCookie()) {
          const [, cookie = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          this.cookies.set(cookie, value);
        }
        text(response).then(
          (content) => resolve({ status: response.statusCode, headers: received, body: content }),
          reject,
        );
      });
      outgoing.end(body);
    });
  }
}
