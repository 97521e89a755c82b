import { request } from 'node:http';
import type { TestApp } from './app.ts';
import type { Client } from './client.ts';

/** Headers as they go over the wire: a list is sent as so many lines. */
export type RawHeaders = Record<string, string | string[]>;

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/**
 * Sends exactly these headers, those included that `fetch` sets by itself: Host, Sec-Fetch-Mode, and any header
 * twice.
 */
export function send(
  app: TestApp,
  method: string,
  path: string,
  headers: RawHeaders = {},
  body?: string,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const received = new Headers();
        for (const [name, values = []] of Object.entries(response.headersDistinct)) {
          for (const value of values) received.append(name, value);
        }
        resolve({
          status: response.statusCode ?? 0,
          headers: received,
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** The cookies of a client, for `send`. */
export function cookiesOf(client: Client): RawHeaders {
  return { Cookie: [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
}
