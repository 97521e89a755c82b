import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request as httpRequest,
  type RequestListener,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TlsOptions } from 'node:tls';

/** An answer on its way through a proxy. */
export interface Passing {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
  };
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}

/** What a proxy does wrong, to a request before it is passed on, or to the answer. */
export interface Spoiling {
  readonly request?: (headers: IncomingHttpHeaders) => void;
  readonly answer?: (answer: Passing) => void;
}

/** A proxy in front of a service that serves https and says so; it may be made to spoil what goes through. */
export interface SpoilingProxy extends AsyncDisposable {
  readonly port: number;
  /** Replaced at any time. */
  spoiling: Spoiling;
  /** Requests so far. */
  requests: number;
}

/** @param target where the service listens @param tls nothing for plain http */
export async function startSpoilingProxy(
  target: string,
  tls?: { cert: string; key: string } & Pick<TlsOptions, 'minVersion' | 'ciphers'>,
  port = 0,
): Promise<SpoilingProxy> {
  const pass: RequestListener = (req, res) => {
    proxy.requests += 1;
    const { method = 'GET', url: path = '/' } = req;
    const seen = { method, path, headers: { ...req.headers } };
    const { 'x-forwarded-host': _host, forwarded: _forwarded, ...kept } = req.headers;
    const headers: IncomingHttpHeaders = { ...kept, ...(tls && { 'x-forwarded-proto': 'https' }) };
    proxy.spoiling.request?.(headers);
    const onward = httpRequest(new URL(path, target), { method, headers, agent: false }, (from) => {
      buffer(from).then(
        (bytes) => {
          const { 'content-length': _length, ...rest } = from.headers;
          const passing: Passing = {
            request: seen,
            status: from.statusCode ?? 0,
            headers: { ...rest },
            body: bytes.toString(),
          };
          proxy.spoiling.answer?.(passing);
          res.writeHead(passing.status, passing.headers).end(passing.body);
        },
        () => res.destroy(),
      );
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  };
  const server =
    tls === undefined
      ? createServer(pass)
      : createTlsServer({ ...tls, cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, pass);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const proxy: SpoilingProxy = {
    port: (server.address() as AddressInfo).port,
    spoiling: {},
    requests: 0,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
  return proxy;
}
