import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import session, { type SessionData } from 'express-session';
import * as fc from 'fast-check';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import type { SessionStore, SignIn } from '../../sessions/session-store.ts';
import { DAY, HOUR, MINUTE, SECOND, type TestClock } from '../support/clock.ts';

/** An engine under test, empty. */
export interface SessionEngine extends AsyncDisposable {
  readonly store: SessionStore;
  /** A second store on the same sessions, as another process has it. */
  readonly otherProcess: SessionStore;
  readonly clock: TestClock;
  /** How many sessions are kept, the ended ones included. */
  count(): Promise<number>;
  /** Everything that is at rest, as one text. */
  atRest(): Promise<string>;
  /** From now on nothing can be read or written. */
  breakDown(): Promise<void>;
}

export type OpenSessionEngine = (lifetime: SessionLifetime) => Promise<SessionEngine>;

type Answer<T> = (error?: unknown, value?: T) => void;

/** A callback's answer as a promise, refused when there is a second answer. */
async function answer<T>(start: (callback: Answer<T>) => void): Promise<T | undefined> {
  let calls = 0;
  const value = await new Promise<T | undefined>((resolve, reject) =>
    start((error, result) => {
      calls += 1;
      if (error === undefined || error === null) resolve(result);
      else
        reject(
          error instanceof Error ? error : new Error('the error is no Error', { cause: error }),
        );
    }),
  );
  await setImmediate();
  if (calls !== 1) throw new Error(`the callback was called ${calls} times`);
  return value;
}

const get = (store: SessionStore, id: string) =>
  answer<SessionData | null>((callback) => store.get(id, callback));
const set = (store: SessionStore, id: string, data: SessionData) =>
  answer((callback) => store.set(id, data, callback));
const touch = (store: SessionStore, id: string, data: SessionData) =>
  answer((callback) => store.touch(id, data, callback));
const destroy = (store: SessionStore, id: string) =>
  answer((callback) => store.destroy(id, callback));

/** The session of that id. @throws when there is none */
async function found(store: SessionStore, id: string): Promise<SessionData> {
  const data = await get(store, id);
  if (data === undefined || data === null) throw new Error('no such session');
  return data;
}

/** What every session store promises, whatever its engine. */
export function sessionStoreContract(name: string, open: OpenSessionEngine): void {
  describe(`sessions in ${name}`, () => {
    const LIFETIME = { idleTimeout: DAY / SECOND, lifetime: (7 * DAY) / SECOND };
    let engine: SessionEngine;
    let store: SessionStore;
    let clock: TestClock;

    async function begin(lifetime: SessionLifetime = LIFETIME): Promise<void> {
      engine = await open(lifetime);
      ({ store, clock } = engine);
    }
    beforeEach(() => begin());
    afterEach(() => engine[Symbol.asyncDispose]());

    async function restart(lifetime: SessionLifetime): Promise<void> {
      await engine[Symbol.asyncDispose]();
      await begin(lifetime);
    }

    function signIn(more: Partial<SignIn> = {}, lifetime = LIFETIME): SignIn {
      return {
        publicId: randomUUID(),
        userId: 'ada',
        amr: 'pwd',
        createdAt: clock.now(),
        expiresAt: clock.now() + lifetime.lifetime * SECOND,
        address: '192.0.2.7',
        userAgent: 'Mozilla/5.0',
        ...more,
      };
    }

    /** The session of a sign-in, or of nobody. */
    function sessionOf(user?: SignIn, extra: object = {}): SessionData {
      const cookie = Object.assign(new session.Cookie(), { originalMaxAge: 7 * DAY });
      return Object.assign({ cookie, ...(user && { passport: { user } }) }, extra);
    }

    /** A session that is kept, under an id that no other has. */
    async function kept(more: Partial<SignIn> = {}): Promise<{ id: string; user: SignIn }> {
      const id = `cookie-${randomUUID()}`;
      const user = signIn(more);
      await set(store, id, sessionOf(user));
      return { id, user };
    }

    const lastSeenAt = async () => (await store.list())[0]?.lastSeenAt;

    describe('that are kept', () => {
      it('are found again with their sign-in', async () => {
        const { id, user } = await kept({ amr: 'bypass', address: null, userAgent: null });
        expect((await found(store, id)).passport?.user).to.deep.equal(user);
      });

      it('are found by another process', async () => {
        const { id, user } = await kept();
        expect((await found(engine.otherProcess, id)).passport?.user).to.deep.equal(user);
      });

      it("keep what else is in them, and the cookie's attributes", async () => {
        const extra = { theme: 'dark', steps: [1, { two: null }], 'a "b" é\u0000': '🦄' };
        await set(store, 'id', sessionOf(signIn(), extra));
        const data = await found(store, 'id');
        expect(data).to.deep.include(extra);
        expect(data.cookie).to.include({ originalMaxAge: 7 * DAY, httpOnly: true, path: '/' });
      });

      it('take what was changed in them and keep their sign-in', async () => {
        const { id, user } = await kept();
        const data = Object.assign(await found(store, id), { theme: 'dark' });
        await set(store, id, data);
        expect(await found(store, id)).to.deep.include({ theme: 'dark', passport: { user } });
        expect(await engine.count()).to.equal(1);
      });

      it('give way to a new sign-in under the same id', async () => {
        await set(store, 'id', sessionOf(signIn({ userId: 'ada' }), { theme: 'dark' }));
        const grace = signIn({ userId: 'grace' });
        await set(store, 'id', sessionOf(grace));
        const data = await found(store, 'id');
        expect(data.passport?.user).to.deep.equal(grace);
        expect(data).not.to.have.property('theme');
        expect(await engine.count()).to.equal(1);
      });

      it('are given out as copies: a change counts only when it is set', async () => {
        const { id } = await kept();
        Object.assign(await found(store, id), { theme: 'dark' });
        expect(await found(store, id)).not.to.have.property('theme');
      });

      it('of one id are not those of another', async () => {
        await kept();
        for (const id of [
          '',
          'x',
          '%',
          '_',
          "' OR '1'='1",
          '__proto__',
          'é',
          '\u0000',
          'x'.repeat(10_000),
        ]) {
          expect(await get(store, id), id.slice(0, 20)).to.be.oneOf([null, undefined]);
        }
      });

      it('may have any id', async () => {
        await fc.assert(
          fc.asyncProperty(fc.string({ unit: 'binary' }), async (id) => {
            const user = signIn();
            await set(store, id, sessionOf(user));
            expect((await found(store, id)).passport?.user).to.deep.equal(user);
            await destroy(store, id);
            expect(await get(store, id)).to.be.oneOf([null, undefined]);
          }),
          { numRuns: 30 },
        );
      });

      it("do not tell the cookie's id at rest", async () => {
        const { id, user } = await kept();
        await touch(store, id, await found(store, id));
        const rest = await engine.atRest();
        expect(rest).to.include(user.publicId);
        expect(rest).not.to.include(id);
        expect(rest).not.to.include(Buffer.from(id).toString('base64').slice(0, 40));
        expect(rest).not.to.include(Buffer.from(id).toString('hex'));
      });
    });

    describe('that nobody is signed in to', () => {
      it('are not kept', async () => {
        await set(store, 'id', sessionOf());
        await set(store, 'id', sessionOf(undefined, { returnTo: '/account', passport: {} }));
        await touch(store, 'id', sessionOf());
        expect(await get(store, 'id')).to.be.oneOf([null, undefined]);
        expect(await engine.count()).to.equal(0);
      });
    });

    describe('that are not there', () => {
      it('are answered with nothing, without an error', async () => {
        expect(await get(store, 'unknown')).to.be.oneOf([null, undefined]);
      });

      it('can be destroyed without an error', async () => {
        await destroy(store, 'unknown');
      });

      it('cannot be touched into being', async () => {
        await touch(store, 'unknown', sessionOf(signIn()));
        expect(await engine.count()).to.equal(0);
      });

      it('cannot be revoked', async () => {
        expect(await store.revoke(randomUUID())).to.be.false;
        expect(await store.revokeByUser('nobody')).to.equal(0);
      });
    });

    describe('that were ended', () => {
      const endings: Record<
        string,
        (id: string, user: SignIn, by: SessionStore) => Promise<unknown>
      > = {
        destroy: (id, _, by) => destroy(by, id),
        revoke: (_, { publicId }, by) => by.revoke(publicId),
        revokeByUser: (_, { userId }, by) => by.revokeByUser(userId),
      };

      for (const [ending, end] of Object.entries(endings)) {
        it(`by ${ending} are gone for every process`, async () => {
          const { id, user } = await kept();
          await end(id, user, engine.otherProcess);
          expect(await get(store, id)).to.be.oneOf([null, undefined]);
          expect(await engine.count()).to.equal(0);
        });

        it(`by ${ending} are not brought back by a request in flight`, async () => {
          const { id, user } = await kept();
          const inFlight = await found(store, id);
          const elsewhere = await found(engine.otherProcess, id);
          await end(id, user, store);
          clock.advance(5 * MINUTE);
          await set(store, id, Object.assign(inFlight, { theme: 'dark' }));
          await touch(store, id, inFlight);
          await set(engine.otherProcess, id, elsewhere);
          await touch(engine.otherProcess, id, elsewhere);
          expect(await get(store, id)).to.be.oneOf([null, undefined]);
          expect(await engine.count()).to.equal(0);
        });

        it(`by ${ending} are not brought back by the request that signed in`, async () => {
          const user = signIn();
          const data = sessionOf(user);
          await set(store, 'id', data);
          await end('id', user, engine.otherProcess);
          await set(store, 'id', Object.assign(data, { theme: 'dark' }));
          expect(await engine.count()).to.equal(0);
        });

        it(`by ${ending} stay ended in whatever order requests in flight go on`, async () => {
          const step = fc.record({
            verb: fc.constantFrom(set, touch),
            elsewhere: fc.boolean(),
            wait: fc.nat({ max: 3 }),
          });
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.array(step, { minLength: 1, maxLength: 8 }),
              async (s, steps) => {
                const { id, user } = await kept({ userId: randomUUID() });
                const request = async ({ verb, elsewhere, wait }: (typeof steps)[number]) => {
                  const by = elsewhere ? engine.otherProcess : store;
                  await s.schedule(Promise.resolve());
                  const data = await get(by, id);
                  await s.schedule(Promise.resolve());
                  clock.advance(wait * MINUTE);
                  if (data) await verb(by, id, Object.assign(data, { theme: 'dark' }));
                };
                const removal = s.schedule(Promise.resolve()).then(() => end(id, user, store));
                const requests = steps.map(request);
                await s.waitFor(Promise.all([removal, ...requests]));
                expect(await get(store, id)).to.be.oneOf([null, undefined]);
                expect(await engine.count()).to.equal(0);
              },
            ),
            { numRuns: 60 },
          );
        });
      }

      it('are gone with the user, but for the one that is excepted', async () => {
        const [here, there, third] = [await kept(), await kept(), await kept()];
        const other = await kept({ userId: 'grace' });
        expect(await store.revokeByUser('ada', here.user.publicId)).to.equal(2);
        for (const { id } of [there, third])
          expect(await get(store, id)).to.be.oneOf([null, undefined]);
        for (const { id } of [here, other]) expect(await get(store, id)).to.be.an('object');
      });

      it('say whether they existed', async () => {
        const { user } = await kept();
        expect(await store.revoke(user.publicId)).to.be.true;
        expect(await store.revoke(user.publicId)).to.be.false;
      });

      it("are not found by the cookie's id, only by their public one", async () => {
        const { id } = await kept();
        expect(await store.revoke(id)).to.be.false;
        expect(await get(store, id)).to.be.an('object');
      });
    });

    describe('that are not used', () => {
      it('end when the idle timeout is over, to the millisecond', async () => {
        const { id } = await kept();
        clock.advance(DAY - 1);
        expect(await get(store, id)).to.be.an('object');
        clock.advance(1);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });

      it('are not kept alive by being looked at', async () => {
        const { id } = await kept();
        for (let hour = 0; hour < 23; hour += 1) {
          clock.advance(HOUR);
          await found(store, id);
          await store.list();
        }
        clock.advance(HOUR);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });
    });

    describe('that are used', () => {
      /** What a request does: reads the session, and touches it at the end. */
      async function use(id: string): Promise<void> {
        await touch(store, id, await found(store, id));
      }

      it('go on past the idle timeout', async () => {
        const { id } = await kept();
        for (let half = 0; half < 5; half += 1) {
          clock.advance(DAY / 2);
          await use(id);
        }
        expect(await get(store, id)).to.be.an('object');
      });

      it('end at the absolute limit however much they are used, to the millisecond', async () => {
        const { id } = await kept();
        for (let hour = 1; hour < 7 * 24; hour += 1) {
          clock.advance(HOUR);
          await use(id);
        }
        clock.advance(HOUR - 1);
        await use(id);
        clock.advance(1);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });

      it('end at the absolute limit also when something is written to them', async () => {
        const { id } = await kept();
        for (let day = 1; day <= 7; day += 1) {
          clock.advance(DAY - HOUR);
          await set(store, id, Object.assign(await found(store, id), { day }));
        }
        clock.advance(7 * HOUR - 1);
        expect(await get(store, id)).to.be.an('object');
        clock.advance(1);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });

      it('end when their sign-in says so, though sessions may last longer by now', async () => {
        const { id, user } = await kept({ expiresAt: clock.now() + HOUR });
        clock.advance(HOUR - 1);
        await use(id);
        expect(await store.list()).to.deep.equal([
          { ...user, lastSeenAt: clock.now(), idleExpiresAt: user.expiresAt },
        ]);
        clock.advance(1);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });

      it('note when they were last seen at most once a minute', async () => {
        const { id, user } = await kept();
        const seen = new Set<number | undefined>();
        for (let second = 0; second < 180; second += 1) {
          clock.advance(SECOND);
          await use(id);
          seen.add(await lastSeenAt());
        }
        const minutes = [0, 1, 2, 3].map((minute) => user.createdAt + minute * MINUTE);
        expect([...seen]).to.deep.equal(minutes);
      });

      it('note it when a minute is over, to the millisecond', async () => {
        const { id, user } = await kept();
        clock.advance(MINUTE - 1);
        await use(id);
        expect(await lastSeenAt()).to.equal(user.createdAt);
        clock.advance(1);
        await use(id);
        expect(await lastSeenAt()).to.equal(user.createdAt + MINUTE);
      });

      it('go on also when the idle timeout is shorter than a minute', async () => {
        const lifetime = { idleTimeout: 10, lifetime: 3600 };
        await restart(lifetime);
        await set(store, 'id', sessionOf(signIn({}, lifetime)));
        for (let second = 0; second < 100; second += 1) {
          clock.advance(9 * SECOND);
          await use('id');
        }
        clock.advance(10 * SECOND);
        expect(await get(store, 'id')).to.be.oneOf([null, undefined]);
      });

      it('last nearly the whole idle timeout after their last use, never longer', async () => {
        const { id } = await kept();
        clock.advance(MINUTE - 1);
        await use(id);
        clock.advance(DAY - MINUTE);
        expect(await get(store, id)).to.be.an('object');
        clock.advance(MINUTE);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
      });
    });

    describe('in a list', () => {
      it('come newest first, each with what there is to know', async () => {
        const first = await kept();
        clock.advance(HOUR);
        const second = await kept({ userId: 'grace', amr: 'bypass' });
        clock.advance(HOUR);
        const third = await kept();
        const users = [third, second, first].map(({ user }) => user);
        expect(await store.list()).to.deep.equal(
          users.map((user) => ({
            ...user,
            lastSeenAt: user.createdAt,
            idleExpiresAt: user.createdAt + DAY,
          })),
        );
      });

      it("are one user's when that is asked", async () => {
        const { user } = await kept();
        await kept({ userId: 'grace' });
        expect((await store.list('ada')).map(({ publicId }) => publicId)).to.deep.equal([
          user.publicId,
        ]);
        expect(await store.list('nobody')).to.deep.equal([]);
        expect(await store.list('')).to.deep.equal([]);
      });

      it('are only those that are alive, to the millisecond', async () => {
        await kept();
        clock.advance(DAY - 1);
        expect(await store.list()).to.have.length(1);
        clock.advance(1);
        expect(await store.list()).to.deep.equal([]);
        await kept({ expiresAt: clock.now() + MINUTE });
        clock.advance(MINUTE - 1);
        expect(await store.list()).to.have.length(1);
        clock.advance(1);
        expect(await store.list()).to.deep.equal([]);
      });

      it("never tell the cookie's id", async () => {
        const { id } = await kept();
        expect(JSON.stringify(await store.list())).not.to.include(id);
      });
    });

    describe('under load', () => {
      it('survive more than 1,000 operations at once', async () => {
        const ids = Array.from({ length: 250 }, (_, index) => `id-${index}`);
        await Promise.all(
          ids.map((id, index) =>
            set(store, id, sessionOf(signIn({ userId: `user-${index % 10}` }))),
          ),
        );
        const work = ids.flatMap((id, index) => [
          get(store, id),
          get(store, id).then((data) => data && set(store, id, data)),
          get(engine.otherProcess, id).then((data) => data && touch(engine.otherProcess, id, data)),
          index % 2 === 0 ? destroy(store, id) : get(store, id),
        ]);
        await Promise.all(work);
        expect(await engine.count()).to.equal(125);
        expect(await store.list('user-1')).to.have.length(25);
        expect(await store.list('user-2')).to.have.length(0);
      });
    });

    describe('whose store is away', () => {
      it('are told as an error by every method, never as "no such session"', async () => {
        const { id } = await kept();
        const data = await found(store, id);
        await engine.breakDown();
        clock.advance(5 * MINUTE);
        const all: Record<string, () => Promise<unknown>> = {
          get: () => get(store, id),
          'get of another': () => get(store, 'unknown'),
          set: () => set(store, id, data),
          'set of a new one': () => set(store, 'new', sessionOf(signIn())),
          touch: () => touch(store, id, data),
          destroy: () => destroy(store, id),
          list: () => store.list(),
          revoke: () => store.revoke(randomUUID()),
          revokeByUser: () => store.revokeByUser('ada'),
        };
        for (const [method, call] of Object.entries(all)) {
          const error = await call().then(
            () => undefined,
            (reason: unknown) => reason,
          );
          expect(error, method).to.be.instanceOf(Error);
        }
      });
    });
  });
}
