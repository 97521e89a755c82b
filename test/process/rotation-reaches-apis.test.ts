import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier, TokenError, UnavailableError, type VerifierOptions } from '#verify';
import { openDatabase } from '../../storage/database.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import type { SigningKey } from '../../tokens/key-ring.ts';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { DAY, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freshSecret, openProcess } from '../support/keys.ts';
import { claimsOf } from '../support/session.ts';

/** Where everybody finds the service. Its processes, which are behind that, take turns. */
const ISSUER = 'http://localhost:3000';
const KEYS = `${ISSUER}/.well-known/jwks.json`;
const METADATA = `${ISSUER}/.well-known/oauth-authorization-server`;

/** Ten steps are the last moment at which a cache may answer with a list of keys that it got before them. */
const STEP = 59_900;
const TEN_MINUTES = 10;
const PUBLICATION = 22;

const CACHES = 1200 * SECOND;
/** How long a verifier goes by the keys that it has. */
const KEPT = 600 * SECOND;
const LIST_KEPT = 60 * SECOND;
const TOLERANCE = 5 * SECOND;
const SKEW = MINUTE;

type Fetch = typeof globalThis.fetch;
type Environment = Record<string, string>;

interface Session {
  readonly client: Client;
  readonly tokens: Issued[];
}

interface Issued {
  readonly jwt: string;
  readonly jti: unknown;
  readonly kid: string;
  /** In milliseconds, as the next one. */
  readonly expiresAt: number;
  revokedAt: number;
}

interface Api {
  readonly name: string;
  /** How long it may go by a key that has been rejected. */
  readonly keeps: number;
  /** `accepted`, `unavailable` or why it refuses the token. */
  answer(jwt: string): Promise<string>;
}

/** An API that asks for the keys through two caches, each of which asked when the answer before it was about to end. */
interface LateApi {
  readonly begun: number;
  readonly shared: Fetch;
  readonly own: Fetch;
  api: Api | undefined;
}

/** What an emergency has announced. */
interface Emergency {
  readonly since: number;
  readonly rejected: readonly string[];
  readonly signer: string;
}

/** A service of two processes with one database, people who use it, and the APIs that they go to. */
class Scene implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly #directory = temporaryDirectory();
  readonly #lifetime: number;
  readonly #options: Partial<VerifierOptions>;
  readonly #lists: Fetch;
  readonly #apps: TestApp[] = [];
  #turn = 0;
  #steps = 0;
  sessions: Session[] = [];
  tokens: Issued[] = [];
  apis: Api[] = [];
  late: LateApi[] = [];
  emergency: Emergency | undefined;
  /** Every key that has signed, as somebody may still have it, and when it did so last. */
  readonly signers = new Map<string, { readonly key: SigningKey; readonly last: number }>();

  /** @param options what the APIs are made with beside `discovery` */
  constructor(options: Partial<VerifierOptions> = {}, lifetime = 20 * MINUTE) {
    this.#options = options;
    this.#lifetime = lifetime;
    this.#lists = this.caching(this.network);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const app of this.#apps) await app[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  get #databaseUrl(): string {
    return `sqlite:${this.#directory.path}/test.db`;
  }

  readonly network: Fetch = (input, init) => {
    const app = this.#apps[(this.#turn += 1) % this.#apps.length];
    return fetch(addressOf(input).replace(ISSUER, app?.url ?? ''), init);
  };

  /** A cache that keeps an answer for its `max-age` from when it got it, however old that was by then. */
  caching(from: Fetch): Fetch {
    const kept = new Map<string, { body: string; headers: Headers; until: number }>();
    return async (input, init) => {
      const address = addressOf(input);
      const known = kept.get(address);
      if (known !== undefined && this.clock.now() < known.until)
        return new Response(known.body, known);
      const response = await from(address, init);
      const [body, { status, headers }] = [await response.text(), response];
      const maxAge = /^public, max-age=(\d+)$/.exec(headers.get('cache-control') ?? '')?.[1];
      const until = this.clock.now() + Number(maxAge ?? 0) * SECOND;
      if (status === 200) kept.set(address, { body, headers, until });
      return new Response(body, { status, headers });
    };
  }

  /** @param keys how it asks for them. The lists come through one cache that all share: they say how old they are. */
  api(name: string, options = this.#options, keys = this.caching(this.caching(this.network))): Api {
    const verifier = createVerifier({
      issuer: ISSUER,
      revocation: 'required',
      now: () => this.clock.now(),
      fetch: (input, init) =>
        (addressOf(input).startsWith(`${ISSUER}/status-lists/`) ? this.#lists : keys)(input, init),
      ...options,
    });
    const keeps = options.secret === undefined ? CACHES + KEPT : Infinity; // secrets are not fetched
    return { name, keeps, answer: (jwt) => answerOf(verifier.verify(jwt)) };
  }

  async #start(environment: Environment): Promise<void> {
    const settings = {
      DATABASE_URL: this.#databaseUrl,
      JWT_EXPIRES_IN: `${this.#lifetime / SECOND}s`,
      ...environment,
    };
    this.#apps.push(await startApp(settings, { clock: this.clock }));
  }

  /** Two processes; and three APIs, one after the other. */
  async start(environment: Environment): Promise<void> {
    for (let count = 0; count < 2; count += 1) await this.#start(environment);
    for (const name of ['first', 'second', 'third']) {
      this.apis.push(this.api(`the ${name} API`));
      await this.goOn(3);
    }
  }

  /** One process after the other gets other settings. */
  async restart(environment: Environment): Promise<void> {
    for (let left = this.#apps.length; left > 0; left -= 1) {
      await this.#apps.shift()?.[Symbol.asyncDispose]();
      await this.#start(environment);
      await this.goOn(2);
    }
  }

  /** What `coatcheck key rotate --emergency` does, in a process of its own; and the others ten seconds later. */
  async reject(environment: Environment): Promise<Emergency> {
    const database = await openDatabase(this.#databaseUrl);
    try {
      const { keys } = await openProcess(database, this.clock, environment);
      const plan = await planEmergency(keys.context);
      const { rejected } = plan;
      this.emergency = { since: this.clock.now(), rejected, signer: await plan.carryOut() };
      this.clock.advance(10 * SECOND);
      return this.emergency;
    } finally {
      await database.close();
    }
  }

  async #exchange(app: TestApp, session: Session): Promise<void> {
    const jwt = await at(app, session).token();
    const key = app.services.keyRing.signing();
    const { kid } = decodeProtectedHeader(jwt);
    expect(kid).to.equal(key.kid);
    this.signers.set(key.kid, { key, last: this.clock.now() });
    const { jti, exp } = claimsOf(jwt);
    const issued = { jwt, jti, kid: key.kid, expiresAt: Number(exp) * SECOND, revokedAt: Infinity };
    session.tokens.push(issued);
    this.tokens.push(issued);
  }

  /** Somebody comes, somebody else gets their next token from the other process, and somebody leaves. */
  async use(): Promise<void> {
    const [one, other] = this.#steps % 2 === 0 ? this.#apps : this.#apps.toReversed();
    if (one === undefined || other === undefined) throw new Error('the service has two processes');
    const session = { client: await signIn(one, 'ada'), tokens: [] };
    await this.#exchange(one, session);
    this.sessions.push(session);
    const [earliest] = this.sessions;
    if (earliest !== undefined) await this.#exchange(other, earliest);
    if (this.sessions.length > 6) await this.leave(1 + (this.#steps % 5), other);
  }

  async leave(index: number, app = this.#apps[0]): Promise<void> {
    const [session] = this.sessions.splice(index, 1);
    if (session === undefined || app === undefined) throw new Error('nobody is there');
    expect((await at(app, session).post('/auth/logout')).status).to.equal(204);
    for (const token of session.tokens) token.revokedAt = this.clock.now();
  }

  async goOn(steps: number): Promise<void> {
    for (let left = steps; left > 0; left -= 1) {
      for (const { services } of this.#apps) await services.keys.maintain();
      await this.use();
      await this.#askLate();
      await this.expectRight();
      this.tokens = this.tokens.filter(({ expiresAt }) => this.clock.now() < expiresAt + TOLERANCE);
      this.clock.advance(STEP);
      this.#steps += 1;
    }
  }

  /** Nobody comes, and nobody asks an API. */
  pause(time: number): void {
    this.clock.advance(time);
    [this.sessions, this.late] = [[], []];
  }

  /** At each step one more of those begins that know the keys of this moment and no later ones, for twenty minutes. */
  async #askLate(): Promise<void> {
    const shared = this.caching(this.network);
    this.late.push({ begun: this.#steps, shared, own: this.caching(shared), api: undefined });
    for (const late of this.late) {
      const age = this.#steps - late.begun;
      if (age === 0) for (const address of [METADATA, KEYS]) await late.shared(address);
      if (age === TEN_MINUTES) for (const address of [METADATA, KEYS]) await late.own(address);
      if (age === 2 * TEN_MINUTES) {
        late.api = this.api('an API that knows the keys late', this.#options, late.own);
        expect(await late.api.answer(STRANGE)).to.equal('unknown_key'); // and asks again in half a minute
      }
    }
    this.late = this.late.filter(({ begun }) => this.#steps - begun < 2 * TEN_MINUTES + 4);
  }

  /** Everybody answers to every token as they should, the service first: it knows at once. */
  async expectRight(): Promise<void> {
    const gone = this.gone(0);
    for (const { services } of this.#apps) {
      const answer = (jwt: string) => answerOf(services.verifier.verify(jwt));
      await this.#expectRightOf({ name: 'the service', keeps: 0, answer }, gone);
    }
    const goneEverywhere = this.gone(CACHES + KEPT).filter(
      ({ algorithm }) => !algorithm.startsWith('HS'), // which an API that has the secret is not told
    );
    for (const api of [...this.apis, ...this.late.flatMap((late) => late.api ?? [])]) {
      await this.#expectRightOf(api, goneEverywhere);
    }
  }

  async #expectRightOf(api: Api, gone: readonly SigningKey[]): Promise<void> {
    for (const token of this.tokens) this.#judge(token, api, await api.answer(token.jwt));
    for (const key of gone) {
      expect(await api.answer(this.forged(key)), `${api.name}, key ${key.kid}`).to.equal(
        'unknown_key',
      );
    }
  }

  #judge(token: Issued, api: Api, answer: string): void {
    const { kid, expiresAt, revokedAt } = token;
    const now = this.clock.now();
    const message = `${api.name}, step ${this.#steps}, key ${kid}`;
    const rejected = this.#isRejected(kid, api);
    if (now >= expiresAt + TOLERANCE) {
      expect(answer, `${message}, expired`).to.not.equal('accepted');
    } else if (rejected === true) {
      expect(answer, `${message}, rejected`).to.equal('unknown_key');
    } else if (now >= revokedAt + LIST_KEPT) {
      const sayings =
        rejected === undefined ? ['revoked', 'unknown_key', 'unavailable'] : ['revoked'];
      expect(answer, `${message}, revoked`).to.be.oneOf(sayings);
    } else if (rejected === false && now < expiresAt) {
      const sayings = revokedAt <= now ? ['accepted', 'revoked'] : ['accepted'];
      expect(answer, message).to.be.oneOf(sayings);
    }
  }

  /** Whether an emergency keeps the API from taking that key; nothing while that depends on what it has heard. */
  #isRejected(kid: string, { keeps }: Api): boolean | undefined {
    if (this.emergency === undefined) return false;
    const { since, rejected, signer } = this.emergency;
    const age = this.clock.now() - since;
    if (rejected.includes(kid)) return age >= keeps ? true : undefined;
    const fetched = kid === signer && keeps < Infinity && keeps > 0;
    return fetched && age < keeps - KEPT + LIST_KEPT ? undefined : false;
  }

  /** The keys that signed their last token so long ago that it has expired everywhere, and some time more. */
  gone(more: number): SigningKey[] {
    const now = this.clock.now() - more;
    const { since = Infinity, rejected = [] } = this.emergency ?? {};
    const gone = [...this.signers.values()].filter(
      ({ key, last }) =>
        last + STEP + this.#lifetime + SKEW <= now || (since <= now && rejected.includes(key.kid)),
    );
    return gone.map(({ key }) => key);
  }

  /** What somebody makes with a key that they have: nothing is wrong with it but that key. */
  forged({ key, kid, algorithm }: SigningKey): string {
    const claims = claimsOf(this.sessions[0]?.tokens[0]?.jwt ?? '');
    const iat = Math.floor(this.clock.now() / SECOND);
    const header = { alg: algorithm, typ: 'JWT', kid };
    const payload = { ...claims, iat, exp: iat + 60, jti: randomUUID() };
    return jsonwebtoken.sign(payload, key, { header, algorithm });
  }

  /** The algorithms that have signed, in turn; nothing is left of all keys but the last one, which would be missed. */
  async expectSigned(...algorithms: readonly string[]): Promise<void> {
    const keys = [...this.signers.values()].map(({ key }) => key);
    expect(keys.map(({ algorithm }) => algorithm)).to.deep.equal(algorithms);
    expect(this.gone(CACHES + KEPT)).to.deep.equal(keys.slice(0, -1));
    const last = keys.at(-1);
    for (const api of this.apis) {
      expect(last && (await api.answer(this.forged(last))), api.name).to.equal('accepted');
    }
  }
}

/** A token of a key that nobody has. */
const STRANGE = jsonwebtoken.sign({}, freshSecret(), { header: { alg: 'HS256', kid: 'strange' } });

function addressOf(input: Parameters<Fetch>[0]): string {
  return input instanceof Request ? input.url : input.toString();
}

function at(app: TestApp, { client }: Session): Client {
  const there = app.client();
  for (const [name, value] of client.cookies) there.cookies.set(name, value);
  return there;
}

async function answerOf(verifying: Promise<unknown>): Promise<string> {
  try {
    await verifying;
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    if (error instanceof UnavailableError) return 'unavailable';
    throw error;
  }
}

const ES256 = { JWT_ALGORITHM: 'ES256' };
const discovery = true;

/** Steps until the last token of a key that retires now has expired. */
const UNTIL_GONE = 24;

describe('APIs that keep keys as long as they may', function () {
  this.timeout(120_000);

  it('refuse no token through three rotations, and take no key after its time', async () => {
    await using scene = new Scene({ discovery }, 10 * MINUTE);
    await scene.start({ ...ES256, KEY_ROTATION_INTERVAL: '1d' });
    const begin = scene.clock.now();
    for (let day = 1; day <= 3; day += 1) {
      scene.pause(begin + day * DAY - scene.clock.now() - (PUBLICATION + 12) * STEP);
      await scene.goOn(PUBLICATION + 12 + 6);
    }
    scene.pause(CACHES + KEPT);
    await scene.goOn(1);
    await scene.expectSigned('ES256', 'ES256', 'ES256', 'ES256');
  });

  it('refuse no token when ES256 becomes RS256', async () => {
    await using scene = new Scene({ discovery });
    await scene.start(ES256);
    await scene.restart({ JWT_ALGORITHM: 'RS256' });
    await scene.goOn(PUBLICATION + UNTIL_GONE + 3 * TEN_MINUTES);
    await scene.expectSigned('ES256', 'RS256');
  });

  it('refuse no token when a shared secret becomes a key pair, if they have both', async () => {
    const secret = freshSecret();
    await using scene = new Scene({ secret, discovery });
    await scene.start({ JWT_SECRET_KEY: secret });
    await scene.restart({ ...ES256, JWT_SECRET_KEY: secret });
    await scene.goOn(PUBLICATION + UNTIL_GONE);
    scene.apis.push(scene.api('an API without the secret', { discovery }));
    await scene.restart({ ...ES256, JWT_SECRET_KEY: freshSecret() });
    scene.pause(CACHES + KEPT);
    await scene.goOn(1);
    await scene.expectSigned('HS256', 'ES256');
  });

  it('refuse no token when a key pair becomes a shared secret, if they have both', async () => {
    const secret = freshSecret();
    await using scene = new Scene({ secret, discovery });
    await scene.start({ ...ES256, JWT_SECRET_KEY: secret });
    await scene.restart({ JWT_SECRET_KEY: secret });
    await scene.goOn(UNTIL_GONE);
    scene.apis.push(scene.api('an API with the secret alone', { secret }));
    scene.pause(CACHES + KEPT);
    await scene.goOn(1);
    await scene.expectSigned('ES256', 'HS256');
  });

  it('refuse no token when a shared secret becomes another, if they have both', async () => {
    const [earlier, later] = [freshSecret(), freshSecret()];
    await using scene = new Scene({ secret: [later, earlier] });
    await scene.start({ JWT_SECRET_KEY: earlier, JWT_SECRET_KEY_PREVIOUS: later });
    await scene.restart({ JWT_SECRET_KEY: later, JWT_SECRET_KEY_PREVIOUS: earlier });
    await scene.goOn(UNTIL_GONE);
    scene.apis.push(scene.api('an API with the later one', { secret: later }));
    await scene.restart({ JWT_SECRET_KEY: later });
    scene.pause(CACHES + KEPT);
    await scene.goOn(1);
    await scene.expectSigned('HS256', 'HS256');
  });

  it('refuse in an emergency what was announced, and nothing else', async () => {
    await using scene = new Scene({ discovery }, 40 * MINUTE);
    await scene.start(ES256);
    scene.apis.push({
      ...scene.api('an API without caches', undefined, scene.network),
      keeps: KEPT,
    });
    await scene.goOn(3);
    const { rejected, signer } = await scene.reject(ES256);
    expect([...scene.signers.keys()]).to.deep.equal(rejected);
    await scene.goOn(4 * TEN_MINUTES);
    expect([...scene.signers.keys()]).to.deep.equal([...rejected, signer]);
    await scene.expectSigned('ES256', 'ES256');
  });

  it('refuse no token of the secret that stays when an earlier one is rejected', async () => {
    const [leaked, secret] = [freshSecret(), freshSecret()];
    await using scene = new Scene({ secret: [secret, leaked] });
    await scene.start({ JWT_SECRET_KEY: leaked, JWT_SECRET_KEY_PREVIOUS: secret });
    await scene.restart({ JWT_SECRET_KEY: secret, JWT_SECRET_KEY_PREVIOUS: leaked });
    await scene.goOn(3);
    const [first, last] = scene.signers.keys();
    const { rejected, signer } = await scene.reject({ JWT_SECRET_KEY: secret });
    expect([...rejected, signer]).to.deep.equal([first, last]);
    scene.apis.push({ ...scene.api('an API with the secret that stays', { secret }), keeps: 0 });
    await scene.goOn(2);
    await scene.restart({ JWT_SECRET_KEY: secret });
    scene.pause(CACHES + KEPT);
    await scene.goOn(1);
    await scene.expectSigned('HS256', 'HS256');
  });

  it('hear of every logout within a minute', async () => {
    await using scene = new Scene({ discovery });
    await scene.start(ES256);
    await scene.goOn(3);
    for (let second = 0; second < 150; second += 1) {
      if (second % 2 === 0 && second < 90) await scene.use();
      await scene.expectRight();
      scene.clock.advance(SECOND);
    }
  });
});

describe('an API that has the secret alone while key pairs take over', function () {
  this.timeout(120_000);

  it('is told by no list, and refuses no token because of that', async () => {
    const secret = freshSecret();
    await using scene = new Scene({ secret, discovery });
    await scene.start({ JWT_SECRET_KEY: secret });
    const careless = scene.api('when-reachable', { secret, revocation: 'when-reachable' });
    const strict = scene.api('required', { secret });
    await scene.restart({ ...ES256, JWT_SECRET_KEY: secret });
    const strictly = new Set<string>();
    for (let left = PUBLICATION + UNTIL_GONE; left > 0; left -= 1) {
      await scene.goOn(1);
      const [earliest] = scene.signers.keys();
      for (const { jwt, kid, expiresAt, revokedAt } of scene.tokens) {
        if (expiresAt <= scene.clock.now() || revokedAt < Infinity) continue;
        const answers = [await careless.answer(jwt), await strict.answer(jwt)];
        if (kid !== earliest) expect(answers).to.deep.equal(['unknown_key', 'unknown_key']);
        else strictly.add(answers.join());
      }
    }
    expect([...strictly]).to.deep.equal(['accepted,accepted', 'accepted,unavailable']);
  });
});
