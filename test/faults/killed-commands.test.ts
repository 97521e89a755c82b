import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { Selectable } from 'kysely';
import { systemClock } from '../../core/clock.ts';
import { type Database, openDatabase } from '../../storage/database.ts';
import type { UsersTable } from '../../storage/schema.ts';
import { PasswordHasher } from '../../users/password.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import { Client } from '../support/client.ts';
import { type Outcome, run, serve, type Served, type Surroundings } from '../support/command.ts';
import { type Engine, onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { redisKeys, skipWithoutRedis } from '../support/redis.ts';
import { claimsOf } from '../support/session.ts';
import { Dice } from './dice.ts';
import { Ledger } from './ledger.ts';
import { at } from './person.ts';

/** How often each of the commands is killed on each engine. */
const KILLS = Math.ceil(Number(process.env['FAULTS_KILLS'] ?? 100) / 20);
const SESSIONS = 6;
const hasher = new PasswordHasher(1, 60_000);

type Row = Pick<Selectable<UsersTable>, 'id' | 'password_hash' | 'roles' | 'disabled_at'>;

/** A command that changes a user, and how to see that it has. */
interface Kind {
  readonly command: (username: string, turn: number) => readonly string[];
  readonly hasChanged: (before: Row, now: Row) => boolean;
  /** Otherwise they go on, and only their tokens are revoked. */
  readonly endsSessions: boolean;
}

const KINDS: Readonly<Record<string, Kind>> = {
  password: {
    command: (username) => ['user', 'password', username],
    hasChanged: (before, now) => before.password_hash !== now.password_hash,
    endsSessions: true,
  },
  disable: {
    command: (username) => ['user', 'disable', username],
    hasChanged: (_, now) => now.disabled_at !== null,
    endsSessions: true,
  },
  roles: {
    command: (username, turn) => ['user', 'roles', username, '--set', roleOf(turn)],
    hasChanged: (before, now) => before.roles !== now.roles,
    endsSessions: false,
  },
};

const roleOf = (turn: number) => `role-${turn}`;
const passwordOf = (turn: number) => `a gull stole umbrella ${turn}`;

/** A session, and the tokens that it was exchanged for. */
interface Held {
  readonly client: Client;
  readonly id: string;
  tokens: string[];
}

onEngines((engine) => {
  describe(`a command beside a service on ${engine} that is killed`, function () {
    this.timeout(600_000);

    it('has changed the user and ended what had to end, or neither', () => killCommands(engine));
  });
});

onEngines(
  (engine) => {
    describe('a command beside a service with sessions in Redis that is killed', function () {
      this.timeout(600_000);
      before(async function () {
        await skipWithoutRedis(this);
      });

      it('has changed the user and ended what had to end, or neither', async () => {
        await using redis = await redisKeys();
        await killCommands(engine, { SESSION_STORE_URL: redis.url });
      });
    });
  },
  ['PostgreSQL'],
);

async function killCommands(engine: Engine, more: Record<string, string> = {}): Promise<void> {
  await using place = await temporaryPlace(engine);
  using directory = temporaryDirectory();
  const cwd = directory.path;
  await run(['init'], { cwd });
  const env = { DATABASE_URL: place.url, PUBLIC_URL: 'http://localhost:3000', ...more };
  await using service = await serve({ cwd, env, longest: 600_000 });
  const database = await openDatabase(place.url);
  const dice = new Dice();
  try {
    const users = Object.entries(KINDS).map(
      ([name, kind]) =>
        new Target(name, kind, {
          service,
          database,
          url: place.url,
          inRedis: 'SESSION_STORE_URL' in more,
        }),
    );
    for (let turn = 0; turn <= KILLS; turn += 1) {
      const parts = users.map(() => (turn === 0 ? Infinity : (60 + dice.below(50)) / 100));
      await Promise.all(
        users.map((user, index) => user.change({ cwd, env }, turn, parts[index] ?? 0)),
      );
    }
  } catch (error) {
    throw new Error(`with the seed ${dice.seed}: ${String(error)}`, { cause: error });
  } finally {
    await database.close();
  }
}

interface Place {
  readonly service: Served;
  readonly database: Database;
  readonly url: string;
  readonly inRedis: boolean;
}

/** A user whom one command is about. */
class Target {
  readonly #name: string;
  readonly #kind: Kind;
  readonly #place: Place;
  #sessions: Held[] = [];
  /** How long the command takes when nobody kills it, in milliseconds. */
  #takes = 0;

  constructor(name: string, kind: Kind, place: Place) {
    this.#name = name;
    this.#kind = kind;
    this.#place = place;
  }

  /** @param part when the command is killed: after what part of the time that it takes; never, after infinitely many */
  async change(surroundings: Surroundings, turn: number, part: number): Promise<void> {
    while (this.#sessions.length < SESSIONS) this.#sessions.push(await this.#signIn());
    const before = await this.#row();
    const command = this.#kind.command(this.#name, turn);
    const stop = new AbortController();
    const begun = performance.now();
    const after = part === Infinity ? 600_000 : this.#takes * part;
    const killed = pause(after, undefined, { signal: stop.signal }).catch(() => undefined);
    const running = run(command, { ...surroundings, stdin: passwordOf(turn), killed });
    const outcome = await this.#exchangeDuring(running);
    if (outcome.code === 0) this.#takes = performance.now() - begun;
    stop.abort();
    await this.#expectWholeOrNot(before, outcome, turn);
  }

  async #signIn(): Promise<Held> {
    const client = new Client(this.#place.service.url);
    const response = await client.get(`/auth/bypass?token=${this.#name}`);
    expect(response.status).to.equal(200);
    const token = await client.token();
    return { client, id: String(claimsOf(token)['sid']), tokens: [token] };
  }

  async #row(): Promise<Row> {
    return this.#place.database.kysely
      .selectFrom('users')
      .select(['id', 'password_hash', 'roles', 'disabled_at'])
      .where('username', '=', this.#name)
      .executeTakeFirstOrThrow();
  }

  /** People use their sessions meanwhile, and get tokens at every moment. */
  async #exchangeDuring(running: Promise<Outcome>): Promise<Outcome> {
    const state = { over: false };
    const outcome = running.finally(() => (state.over = true));
    for (let turn = 0; !state.over; turn += 1) {
      const session = this.#sessions[turn % this.#sessions.length];
      const response = await session?.client.get('/auth/token');
      expect(response?.status).to.be.oneOf(this.#kind.endsSessions ? [200, 401] : [200]);
      const answer: unknown = await response?.json();
      if (typeof answer === 'object' && answer !== null && 'token' in answer) {
        session?.tokens.push(String(answer.token));
      }
      await pause(10);
    }
    return outcome;
  }

  async #expectWholeOrNot(before: Row, outcome: Outcome, turn: number): Promise<void> {
    const { url, inRedis, service, database } = this.#place;
    const now = await this.#row();
    const done = this.#kind.hasChanged(before, now);
    const about = `${this.#name}, ${done ? 'done' : 'not done'}`;
    expect(outcome.code, `${about}: ${outcome.stderr}`).to.be.oneOf([0, null]);
    if (outcome.code === 0) expect(done, 'acknowledged').to.equal(true);
    if (done && this.#name === 'password') {
      expect(await hasher.matches(now.password_hash, passwordOf(turn))).to.equal(true);
    }
    // enabled again, a session that was left would open
    if (now.disabled_at !== null)
      await sqlUserStore(database, systemClock).setDisabled(now.id, false);
    const ledger = await Ledger.read(url, inRedis);
    expect(ledger.halfEnded).to.deep.equal([]);
    const ends = done && this.#kind.endsSessions;
    for (const session of this.#sessions) {
      expect(ledger.alive.has(session.id), `session alive (${about})`).to.equal(!ends);
      const { status } = await at(service.url, session).get('/auth/token');
      expect(status, `exchange (${about})`).to.equal(ends ? 401 : 200);
      for (const token of session.tokens) {
        const isNew = !this.#kind.endsSessions && hasRole(token, turn);
        if (isNew) expect(done, 'the roles of a token are there').to.equal(true);
        else expect(ledger.isRevoked(token), `token revoked (${about})`).to.equal(done);
      }
      session.tokens = ends ? [] : [await session.client.token()];
    }
    if (ends) this.#sessions = [];
  }
}

function hasRole(token: string, turn: number): boolean {
  const roles = claimsOf(token)['roles'];
  return Array.isArray(roles) && roles.includes(roleOf(turn));
}
