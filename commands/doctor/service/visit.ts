import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '../../../core/clock.ts';
import { isLocalhostName } from '../../../core/http.ts';

/** More requests than this are never sent, whatever is to be looked at. */
const MOST_REQUESTS = 40;

/** Bytes of a body that are read. */
const ENOUGH = 65_536;

/** What is asked. Without a method it is GET. */
export interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of the connection that it came over. */
  readonly tls: Tls | undefined;
}

export interface Tls {
  readonly protocol: string;
  /** Why the certificate is not trusted on this machine, if it is not. */
  readonly distrust: string | undefined;
  readonly certificate: PeerCertificate;
}

/** How a service is visited. */
export interface Manner {
  readonly clock: Clock;
  /** For one answer, in milliseconds. */
  readonly timeout: number;
  /** Ends it early. */
  readonly stop: AbortSignal;
  /** How names become addresses, if not as everywhere on this machine. */
  readonly lookup?: LookupFunction;
}

/** A running service that is asked from outside: at one address, a bounded number of times, without an account. */
export class Visit {
  readonly url: URL;
  readonly manner: Manner;
  readonly #answers = new Map<string, Promise<Answer>>();

  constructor(url: URL, manner: Manner) {
    this.url = url;
    this.manner = manner;
  }

  /** Whether it is on this machine, where plain http is no risk. */
  get isLocal(): boolean {
    return isLocalhostName(this.url.hostname);
  }

  get isSecure(): boolean {
    return this.url.protocol === 'https:';
  }

  /** Of the URL, without the brackets of an IPv6 address. */
  get host(): string {
    return this.url.hostname.replace(/^\[(.*)\]$/, '$1');
  }

  /**
   * Asks, on a connection of its own; what has been asked before is not asked again. Redirects are answers.
   * @throws when nothing comes back in time, or too much has been asked
   */
  ask(question: Question): Promise<Answer> {
    const name = JSON.stringify(question);
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    if (this.#answers.size >= MOST_REQUESTS) {
      return Promise.reject(new Error(`${MOST_REQUESTS} requests have been sent, which is enough`));
    }
    const answer = this.#send(question);
    this.#answers.set(name, answer);
    return answer;
  }

  #send({ method = 'GET', path, headers = {}, body }: Question): Promise<Answer> {
    const send = this.isSecure ? httpsRequest : httpRequest;
    const { timeout, stop, lookup } = this.manner;
    const signal = AbortSignal.any([AbortSignal.timeout(timeout), stop]);
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) =>
        reject(new Error(`${method} ${path}: ${reasonOf(error)}`, { cause: error }));
      const request = send(
        {
          protocol: this.url.protocol,
          hostname: this.host,
          port: this.url.port,
          path,
          method,
          headers: { Accept: 'application/json', 'User-Agent': 'coatcheck-doctor', ...headers },
          agent: false,
          rejectUnauthorized: false, // what is wrong with the certificate is a finding, and nothing secret is sent
          signal,
          ...(lookup && { lookup }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let length = 0;
          const tls = tlsOf(response.socket);
          const finish = () => {
            const { statusCode: status = 0, headers: received } = response;
            resolve({ status, headers: received, body: Buffer.concat(chunks).toString(), tls });
          };
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            length += chunk.length;
            if (length < ENOUGH) return;
            finish();
            request.destroy();
          });
          response.on('end', finish);
          response.on('error', fail);
        },
      );
      request.on('error', fail);
      request.end(body);
    });
  }
}

function tlsOf(socket: unknown): Tls | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { authorized, authorizationError } = socket;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    distrust: authorized ? undefined : codeOf(authorizationError),
    certificate: socket.getPeerCertificate(),
  };
}

function codeOf(error: unknown): string {
  if (typeof error === 'string') return error;
  return error instanceof Error && 'code' in error ? String(error.code) : 'not trusted';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'no answer in time';
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : error.message;
}
