/** The clients of a storm, in a thread of their own so that they take nothing from who measures: each tries one password after another. */
import { randomInt } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { Connection } from './connection.ts';

/** What the thread is told. */
export interface Storm {
  readonly port: number;
  readonly clients: number;
}

/** What it tells at its end: how many answers there were of each status. */
export type Answers = Readonly<Record<string, number>>;

const { port, clients } = workerData as Storm; // oxlint-disable-line typescript/no-unsafe-type-assertion -- so storm.ts says
const answers: Record<string, number> = {};
const weather = { over: false };

/** Each time for another name and from another network: limits of attempts would end the storm at once. */
function attempt(): Buffer {
  const body = JSON.stringify({
    username: `user-${randomInt(2 ** 40)}`,
    password: 'wrong-password',
  });
  const fields = [
    'POST /auth/login HTTP/1.1',
    `Host: localhost:${port}`,
    `X-Forwarded-For: ${[1, 2, 3, 4].map(() => randomInt(1, 255)).join('.')}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${fields.join('\r\n')}\r\n\r\n${body}`);
}

async function client(): Promise<void> {
  const connection = await Connection.open(port);
  while (!weather.over) {
    const { status } = await connection.send(attempt());
    answers[status] = (answers[status] ?? 0) + 1;
  }
  connection.close();
}

parentPort?.once('message', () => (weather.over = true));
await Promise.all(Array.from({ length: clients }, client));
parentPort?.postMessage(answers); // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread has none
parentPort?.close();
