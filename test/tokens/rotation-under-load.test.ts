import { createPublicKey, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier, type KeySource, secretKey, type TrustedKey, type Verifier } from '#verify';
import { createIssuer, type Issuer, type Ticket } from '../../tokens/issuer.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import type { KeyRing, SigningKey } from '../../tokens/key-ring.ts';
import { DAY, HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { freshSecret, type KeyProcess, openProcess, startProcess } from '../support/keys.ts';

const ISSUER = 'http://localhost:3000';
const STEP = 7 * MINUTE;
const PERIOD = 21 * MINUTE;
const GONE = 6 * HOUR + MINUTE;

/** How long an API goes by a list of keys before it asks again: the longest that answers and caches allow. */
const CACHE = 1200 * SECOND;

interface Server {
  process: KeyProcess;
  issuer: Issuer;
}

interface Api {
  readonly verifier: Verifier;
  /** Whether the list was fetched before that time. */
  readonly isOlderThan: (time: number) => boolean;
}

describe('security 14: keys that are replaced under load', function () {
  this.timeout(120_000);
  let clock: TestClock;
  let temporary: TemporaryDatabase;
  let servers: Server[];
  let apis: Api[];
  let alive: Ticket[];
  /** Every key that has ever signed, as somebody may still have it. */
  let stolen: Map<string, SigningKey>;
  const secret = freshSecret();

  beforeEach(async () => {
    clock = new TestClock();
    temporary = await temporaryDatabase('SQLite');
    [servers, apis, alive] = [[], [], []];
    stolen = new Map();
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  async function start(environment: Record<string, string>): Promise<void> {
    servers = [];
    for (let count = 0; count < 2; count += 1) {
      const process = await startProcess(temporary.database, clock, environment);
      const issuer = createIssuer({
        keyRing: process.keys.ring,
        clock,
        issuer: ISSUER,
        audiences: [],
        claims: [],
        expiresIn: 21_600,
        profile: 'jwt',
        statusListUri: (list) => `${ISSUER}/status-lists/${list}`,
      });
      servers.push({ process, issuer });
    }
  }

  /** An API that fetches the keys from one of the servers, and asks for none that it does not know. */
  function api(age: number): Api {
    let fetchedAt = -Infinity;
    let known = new Map<string, TrustedKey>();
    const shared = secretKey(secret, 'HS256');
    const fetchKeys = async () => {
      const ring = servers[0]?.process.keys.ring;
      await ring?.refresh();
      known = new Map(trustedOf(ring).map((key) => [key.kid, key]));
      known.set(shared.kid, shared);
      fetchedAt = clock.now() - (fetchedAt === -Infinity ? age : 0);
    };
    const keys: KeySource = {
      async find(kid) {
        if (clock.now() - fetchedAt >= CACHE) await fetchKeys();
        return known.get(kid);
      },
    };
    return {
      verifier: createVerifier({ issuer: ISSUER, keys, revocation: 'off', now: () => clock.now() }),
      isOlderThan: (time) => fetchedAt < time,
    };
  }

  function trustedOf(ring: KeyRing | undefined): TrustedKey[] {
    return (ring?.publicKeys() ?? []).map((jwk) => ({
      kid: String(jwk['kid']),
      algorithm: String(jwk['alg']),
      key: createPublicKey({ key: jwk, format: 'jwk' }),
    }));
  }

  const verifierOf = ({ process }: Server) =>
    createVerifier({
      issuer: ISSUER,
      keys: process.keys.ring,
      revocation: 'off',
      now: () => clock.now(),
    });

  async function issueFromEach(): Promise<Ticket[]> {
    const session = {
      publicId: randomUUID(),
      amr: 'pwd',
      createdAt: clock.now(),
      expiresAt: clock.now() + 7 * DAY,
      status: { list: 'l1', index: 1 },
    };
    const user = { id: 'u1', username: 'ada', name: null, email: null, roles: [] };
    const tickets: Ticket[] = [];
    for (const { issuer, process } of servers) {
      tickets.push(await issuer.issue(user, session));
      const key = process.keys.ring.signing();
      stolen.set(key.kid, key);
    }
    return tickets;
  }

  /** Each server issues a token; everybody takes these, and those that have lived almost to their end. */
  async function step(): Promise<void> {
    for (const { process } of servers) await process.keys.maintain();
    const fresh = await issueFromEach();
    const ending = alive.filter(({ expiresAt }) => expiresAt * SECOND <= clock.now() + STEP);
    for (const { verifier } of [
      ...apis,
      ...servers.map((one) => ({ verifier: verifierOf(one) })),
    ]) {
      for (const { jwt, claims } of [...fresh, ...ending]) {
        expect(await verifier.verify(jwt)).to.include({ jti: claims.jti });
      }
    }
    alive = [...alive, ...fresh].filter((ticket) => !ending.includes(ticket));
    clock.advance(STEP);
  }

  async function goOn(time: number): Promise<Set<string>> {
    stolen.clear();
    for (const end = clock.now() + time; clock.now() < end;) await step();
    return new Set([...stolen.values()].map(({ algorithm }) => algorithm));
  }

  /** What somebody makes with a key that they have, now. */
  function forged({ key, kid, algorithm }: SigningKey): string {
    const iat = Math.floor(clock.now() / SECOND);
    const claims = { iss: ISSUER, sub: 'u1', iat, exp: iat + 60, jti: randomUUID(), sid: 's1' };
    return jsonwebtoken.sign(claims, key, {
      header: { alg: algorithm, typ: 'JWT', kid },
      algorithm,
    });
  }

  async function refused(verifier: Verifier, jwt: string): Promise<void> {
    expect(await failureOf(verifier.verify(jwt))).to.include({ reason: 'unknown_key' });
  }

  /** No server takes anything that is signed with those keys. */
  async function expectGone(keys: readonly SigningKey[]): Promise<void> {
    for (const server of servers) {
      for (const key of keys) await refused(verifierOf(server), forged(key));
    }
  }

  it('reject no token through three rotations, and accept no key after its time', async () => {
    await start({ JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' });
    apis = [api(0), api(7 * MINUTE), api(13 * MINUTE)];
    await goOn(3 * DAY + 7 * HOUR);
    expect(stolen.size).to.equal(4);
    for (const { process } of servers) await process.keys.ring.refresh();
    const present = servers.map(({ process }) => process.keys.ring.signing().kid);
    const earlier = [...stolen.values()].filter(({ kid }) => !present.includes(kid));
    expect(earlier).to.have.length(3);
    await expectGone(earlier);
    clock.advance(CACHE);
    for (const { verifier } of apis) {
      for (const key of earlier) await refused(verifier, forged(key));
    }
  });

  it('reject no token when ES256 becomes RS256', async () => {
    await start({ JWT_ALGORITHM: 'ES256' });
    apis = [api(0), api(7 * MINUTE), api(13 * MINUTE)];
    await goOn(2 * HOUR);
    const earlier = [...stolen.values()];
    await start({ JWT_ALGORITHM: 'RS256' });
    expect([...(await goOn(PERIOD - STEP))]).to.deep.equal(['ES256']);
    expect([...(await goOn(GONE + 2 * STEP))]).to.include('RS256');
    await expectGone(earlier);
    expect([...(await goOn(STEP))]).to.deep.equal(['RS256']);
  });

  it('reject no token when HS256 becomes ES256', async () => {
    await start({ JWT_SECRET_KEY: secret });
    apis = [api(0), api(7 * MINUTE), api(13 * MINUTE)];
    await goOn(2 * HOUR);
    const earlier = [...stolen.values()];
    await start({ JWT_SECRET_KEY: secret, JWT_ALGORITHM: 'ES256' });
    expect([...(await goOn(PERIOD - STEP))]).to.deep.equal(['HS256']);
    expect([...(await goOn(GONE + 2 * STEP))]).to.include('ES256');
    await expectGone(earlier);
    await start({ JWT_SECRET_KEY: freshSecret(), JWT_ALGORITHM: 'ES256' });
    expect([...(await goOn(STEP))]).to.deep.equal(['ES256']);
  });

  it('reject in an emergency what was announced, and nothing later than that', async () => {
    const environment = { JWT_ALGORITHM: 'ES256' };
    await start(environment);
    apis = [api(0), api(7 * MINUTE), api(13 * MINUTE)];
    await goOn(HOUR);
    const [leaked, dead] = [[...stolen.values()], alive];
    const command = await openProcess(temporary.database, clock, environment);
    const signer = await (await planEmergency(command.keys.context)).carryOut();
    const emergency = clock.now();
    clock.advance(6 * SECOND);
    for (const { process } of servers) await process.keys.maintain();
    await expectGone(leaked);
    for (const server of servers) {
      expect(server.process.keys.ring.signing().kid).to.equal(signer);
      for (const { jwt } of dead) await refused(verifierOf(server), jwt);
    }
    const fresh = await issueFromEach();
    for (const { verifier, isOlderThan } of apis) {
      for (const { jwt, claims } of fresh) {
        const asking = verifier.verify(jwt);
        if (isOlderThan(emergency)) await asking.catch(() => undefined);
        else expect(await asking).to.include({ jti: claims.jti });
      }
    }
    clock.advance(CACHE);
    alive = [];
    for (const { verifier } of apis) for (const key of leaked) await refused(verifier, forged(key));
    expect([...(await goOn(HOUR))]).to.deep.equal(['ES256']);
    expect([...stolen.keys()]).to.deep.equal([signer]);
  });
});
