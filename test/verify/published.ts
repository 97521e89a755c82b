import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (res: ServerResponse) => void;

/** A server on a free port that publishes documents, and counts how often it was asked for each. */
export interface Publisher extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  /** What is answered at that path from now on: a text, an object as JSON, or anything at all. */
  publish(path: string, document: string | object | Answer, headers?: Record<string, string>): void;
  /** Answers everything with that status, until it is called without one. */
  fail(status?: number): void;
  /** How often that path was asked for. */
  visits(path: string): number;
  /** The `Accept` header of the last request. */
  accepted(): string | undefined;
}

export async function startPublisher(): Promise<Publisher> {
  const answers = new Map<string, Answer>();
  const visits = new Map<string, number>();
  let failure: number | undefined;
  let accepted: string | undefined;
  const server = createServer((req, res) => {
    const path = req.url ?? '';
    visits.set(path, (visits.get(path) ?? 0) + 1);
    accepted = req.headers.accept;
    const answer = answers.get(path);
    if (failure === undefined && answer !== undefined) answer(res);
    else res.writeHead(failure ?? 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish(path, document, headers = typeOf(path)) {
      const text = typeof document === 'string' ? document : JSON.stringify(document);
      const answer = (res: ServerResponse) => void res.writeHead(200, headers).end(text);
      answers.set(path, typeof document === 'function' ? (document as Answer) : answer);
    },
    fail: (status) => (failure = status),
    visits: (path) => visits.get(path) ?? 0,
    accepted: () => accepted,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const typeOf = (path: string): Record<string, string> =>
  path.startsWith('/list') ? { 'Content-Type': 'application/statuslist+jwt' } : {};

/** Waits until work in the background has had its effect. @throws when that takes five seconds */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('that did not happen within five seconds');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
