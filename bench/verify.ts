import { createServer, type Server } from 'node:http';
import {
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import { jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier, type Verifier } from '#verify';
import type { Benchmark } from './benchmark.ts';
import { timeStatusList } from './status-list.ts';
import { type Passes, verifyFindings } from './verify-report.ts';

const ISSUER = 'https://login.example.org';
const ENTRIES = 2 ** 17;
const ALGORITHMS = ['HS256', 'ES256'] as const;

const IMPORT = {
  HS256: { name: 'HMAC', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
} as const;

/** How many tokens one contender verifies before it is the turn of the next. */
const TURN = 250;

/** What an API does for every request: ours, against the two libraries with nothing around them. */
export const verify: Benchmark = {
  summary: 'createVerifier against bare jose and bare jsonwebtoken, and building a status list',
  async run({ sessions: count, rounds }, { signal, progress }) {
    const passes = new Map<string, Passes>();
    for (const algorithm of ALGORITHMS) {
      await using world = await prepare(algorithm, count);
      await playRound(world); // whatever is compiled or allocated once
      const all: Passes = new Map();
      for (let round = 1; round <= rounds; round += 1) {
        signal.throwIfAborted();
        progress(`${algorithm}: round ${round} of ${rounds}`);
        for (const [name, time] of await playRound(world)) {
          all.set(name, [...(all.get(name) ?? []), time / count]);
        }
      }
      passes.set(algorithm, all);
    }
    const statusList = await timeStatusList(rounds);
    return verifyFindings(passes, statusList, { tokens: count, rounds });
  },
};

/** Tokens with all that is needed to verify them, and a server that has the status list. */
interface World extends AsyncDisposable {
  readonly algorithm: (typeof ALGORITHMS)[number];
  readonly key: KeyObject;
  readonly tokens: readonly string[];
  /** Ours, with the list fetched and no token seen. */
  verifier(): Promise<Verifier>;
}

async function prepare(algorithm: World['algorithm'], count: number): Promise<World> {
  const { sign, key } = keysOf(algorithm);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const uri = `http://localhost:${portOf(server)}/status-lists/1`;
  const list = signedList(uri, sign, algorithm);
  server.on('request', (_req, res) =>
    res.writeHead(200, { 'Content-Type': 'application/statuslist+jwt' }).end(list),
  );
  const token = (idx: number) => signed(claims(uri, idx), sign, algorithm, 'JWT');
  const first = token(0);
  return {
    algorithm,
    key,
    tokens: Array.from({ length: count }, (_, index) => token((index * 2 + 2) % ENTRIES)),
    async verifier() {
      const keys = [{ kid: 'key', algorithm, key }];
      const cache = { size: count + 1 };
      const verifier = createVerifier({ issuer: ISSUER, keys, revocation: 'required', cache });
      await verifier.verify(first);
      return verifier;
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}

function keysOf(algorithm: World['algorithm']): { sign: KeyObject; key: KeyObject } {
  if (algorithm === 'HS256') {
    const secret = createSecretKey(randomBytes(64));
    return { sign: secret, key: secret };
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { sign: privateKey, key: publicKey };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Every second of 2,000 entries is revoked: 1,000 of 2^17, none of them those of the tokens. */
function signedList(uri: string, key: KeyObject, algorithm: World['algorithm']): string {
  const bits = Buffer.alloc(ENTRIES / 8);
  for (let byte = 0; byte < 250; byte += 1) bits[byte] = 0b1010_1010;
  const lst = deflateSync(bits, { level: 9 }).toString('base64url');
  const payload = { sub: uri, iss: ISSUER, ttl: 43_200, status_list: { bits: 1, lst } };
  return signed(payload, key, algorithm, 'statuslist+jwt');
}

function claims(uri: string, idx: number) {
  const id = randomUUID();
  return {
    iss: ISSUER,
    sub: id,
    jti: randomUUID(),
    sid: randomUUID(),
    auth_time: 1_700_000_000,
    amr: ['pwd'],
    status: { status_list: { idx, uri } },
    id,
    username: 'ada',
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    roles: ['admin', 'editor'],
  };
}

function signed(
  payload: object,
  key: KeyObject,
  algorithm: World['algorithm'],
  typ: string,
): string {
  const header = { alg: algorithm, typ, kid: 'key' };
  return jsonwebtoken.sign(payload, key, { algorithm, header, expiresIn: '12h' });
}

type Contender = (token: string) => unknown;

/** Microseconds that each contender took for all tokens; the turns are short, so that all get the same machine. */
async function playRound(world: World): Promise<Map<string, number>> {
  const { algorithm, key, tokens } = world;
  const ours = await world.verifier();
  const again = await world.verifier();
  for (const token of tokens) await again.verify(token);
  const algorithms = [algorithm];
  const cryptoKey = key.toCryptoKey(IMPORT[algorithm], false, ['verify']); // what jose is fastest with
  const contenders: [string, Contender][] = [
    ['jose', (token) => jwtVerify(token, cryptoKey, { issuer: ISSUER, algorithms })],
    ['jsonwebtoken', (token) => jsonwebtoken.verify(token, key, { issuer: ISSUER, algorithms })],
    ['Coatcheck, first seen', (token) => ours.verify(token)],
    ['Coatcheck, seen again', (token) => again.verify(token)],
  ];
  const times = new Map<string, number>();
  for (let start = 0; start < tokens.length; start += TURN) {
    const turn = tokens.slice(start, start + TURN);
    contenders.push(...contenders.splice(0, 1)); // so that nobody always follows the same other
    for (const [name, contender] of contenders) {
      times.set(name, (times.get(name) ?? 0) + (await timed(turn, contender)));
    }
  }
  return times;
}

/** One after the other, as the requests of one client come. @returns microseconds */
async function timed(tokens: readonly string[], contender: Contender): Promise<number> {
  const began = performance.now();
  for (const token of tokens) await contender(token);
  return (performance.now() - began) * 1000;
}
