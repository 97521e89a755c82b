import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { temporaryDirectory } from '../support/directory.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { fetchTls, makeCertificate } from '../support/tls.ts';

const LOGIN =
  'POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n';

/** What a client that means to keep a connection says at once, and what it says again and again. */
type Slow = readonly [what: string, first: string, more: string];

const OVER_HTTP: readonly Slow[] = [
  ['says nothing', '', ''],
  ['begins its headers and stops', 'GET / HTTP/1.1\r\nHost: local', ''],
  ['sends a header from time to time', 'GET / HTTP/1.1\r\nHost: localhost\r\n', 'X: y\r\n'],
  ['sends a body byte by byte', LOGIN, ' '],
];
const OVER_TLS: readonly Slow[] = [
  ['says nothing', '', ''],
  ['begins a handshake and stops', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', ''],
];

/** More rounds of a tenth of a second than there can be in ten seconds, and than a service that waits longer would make of it. */
const ROUNDS = 150;

describe('200 clients that are slow on purpose', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  after(() => directory[Symbol.dispose]());

  /**
   * Lets them have their way, those included that keep their half open when they are told to go, until the service has
   * rid itself of all. @param others somebody who has to be served meanwhile
   */
  async function endure(
    service: ServiceProcess,
    kinds: readonly Slow[],
    others: () => Promise<number>,
  ) {
    const answers: string[] = [];
    const clients = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const [, first = '', more = ''] = kinds[index % kinds.length] ?? [];
        const socket = connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => undefined); // it is to be cut
        socket.on('data', (data) => answers.push(String(data)));
        await once(socket, 'connect');
        socket.write(first);
        return { socket, more };
      }),
    );
    let rounds = 0;
    for (; held(service) > 0; rounds += 1) {
      expect(await others(), `the ${rounds + 1}th of the others`).to.equal(200);
      for (const { socket, more } of clients)
        if (more !== '' && socket.writable) socket.write(more);
      await delay(100);
    }
    for (const { socket } of clients) socket.destroy();
    expect(rounds, 'rounds until they were gone').to.be.within(1, ROUNDS);
    expect(service.alive).to.equal(true);
    return answers;
  }

  it('hold nobody up, and are cut after some seconds, whether they listen or not', async function () {
    if (platform() !== 'linux') this.skip(); // nothing else tells so simply what a process holds
    await using service = await startService();
    const answers = await endure(service, OVER_HTTP, async () => {
      const response = await fetch(`${service.url}/auth/bypass?token=ada`, CLOSE);
      return response.status;
    });
    expect(answers).to.have.lengthOf(200);
    for (const answer of answers) expect(answer).to.match(/^HTTP\/1\.1 408 [^]*"request_timeout"/);
  });

  it('nor do they before a TLS handshake, where they can be told nothing', async function () {
    const [cert, key] = [join(directory.path, 'cert.pem'), join(directory.path, 'key.pem')];
    if (platform() !== 'linux' || !makeCertificate(cert, key)) this.skip(); // no openssl here to make one with
    const tls = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, PUBLIC_URL: 'https://localhost' };
    await using service = await startService(tls);
    const answers = await endure(service, OVER_TLS, async () => {
      const { status } = await fetchTls(`https://localhost:${service.port}/healthz`, cert);
      return status ?? 0;
    });
    expect(answers).to.deep.equal([]);
  });
});

const CLOSE = { headers: { Connection: 'close' } };

/** How many connections the service holds open, in whatever state: proc_pid_net(5), sockets that belong to a process. */
function held({ port }: ServiceProcess): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return sockets.filter((line) => {
    const [, address = '', , state, , , , , , inode] = line.trim().split(/ +/);
    return address.endsWith(local) && state !== LISTENING && inode !== '0';
  }).length;
}

const LISTENING = '0A';
