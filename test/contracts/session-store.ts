import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import session, { type SessionData } from 'express-session';
import * as fc from 'fast-check';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import type { AllocateEntry, SessionStore, SignIn } from '../../sessions/session-store.ts';
import type { Change } from '../../storage/database.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { Database } from '../../storage/database.ts';
import type { StatusLists } from '../../tokens/status-lists.ts';
import { DAY, HOUR, MINUTE, SECOND, type TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';

/** An engine under test, empty. */
export interface SessionEngine extends AsyncDisposable {
  readonly store: SessionStore;
  /** A second store on the same sessions, as another process has it. */
  readonly otherProcess: SessionStore;
  readonly clock: TestClock;
  /** Where sessions end, and what a change is made in that is the reason for it. */
  readonly database: Database;
  /** Where tokens are revoked when a session is ended. */
  readonly statusLists: StatusLists;
  /** From now on that part of the work fails. */
  fail(step: 'removing a session' | 'revoking an entry'): Promise<void>;
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

    async function signIn(more: Partial<SignIn> = {}, lifetime = LIFETIME): Promise<SignIn> {
      const signedIn = {
        publicId: randomUUID(),
        userId: 'ada',
        amr: 'pwd' as const,
        createdAt: clock.now(),
        expiresAt: clock.now() + lifetime.lifetime * SECOND,
        address: '192.0.2.7',
        userAgent: 'Mozilla/5.0',
        ...more,
      };
      const { publicId: sessionId, userId, expiresAt } = signedIn;
      return { ...signedIn, status: await allocate(expiresAt, { sessionId, userId }) };
    }

    /** The session of a sign-in, or of nobody. */
    function sessionOf(user?: SignIn, extra: object = {}): SessionData {
      const cookie = Object.assign(new session.Cookie(), { originalMaxAge: 7 * DAY });
      return Object.assign({ cookie, ...(user && { passport: { user } }) }, extra);
    }

    /** A session that is kept, under an id that no other has. */
    async function kept(more: Partial<SignIn> = {}): Promise<{ id: string; user: SignIn }> {
      const id = `cookie-${randomUUID()}`;
      const user = await signIn(more);
      await set(store, id, sessionOf(user));
      return { id, user };
    }

    const allocate: AllocateEntry = (end, holder) => engine.statusLists.allocate(end, holder);
    async function isRevoked({ status }: SignIn): Promise<boolean> {
      await setImmediate(); // what another process wrote may be seen in the next turn only
      return engine.statusLists.isRevoked(status);
    }
    /** The sign-in as it is stored. */
    async function stored(id: string): Promise<SignIn> {
      const user = (await found(store, id)).passport?.user;
      if (user === undefined) throw new Error('nobody is signed in with that session');
      return user;
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
        await set(store, 'id', sessionOf(await signIn(), extra));
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
        await set(store, 'id', sessionOf(await signIn({ userId: 'ada' }), { theme: 'dark' }));
        const grace = await signIn({ userId: 'grace' });
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

      it('may have any id', async function () {
        this.timeout(120_000);
        await fc.assert(
          fc.asyncProperty(fc.string({ unit: 'binary' }), async (id) => {
            const user = await signIn();
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
        await touch(store, 'unknown', sessionOf(await signIn()));
        expect(await engine.count()).to.equal(0);
      });

      it('cannot be revoked', async () => {
        expect(await store.revoke(randomUUID())).to.be.false;
        expect(await store.revokeOfUser('ada', randomUUID())).to.be.false;
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
        revokeOfUser: (_, { userId, publicId }, by) => by.revokeOfUser(userId, publicId),
        revokeByUser: (_, { userId }, by) => by.revokeByUser(userId),
      };

      for (const [ending, end] of Object.entries(endings)) {
        it(`by ${ending} are gone for every process`, async () => {
          const { id, user } = await kept();
          await end(id, user, engine.otherProcess);
          expect(await get(store, id)).to.be.oneOf([null, undefined]);
          expect(await engine.count()).to.equal(0);
        });

        it(`security 5: by ${ending} are not brought back by a request in flight`, async () => {
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
          const user = await signIn();
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

      for (const [ending, end] of Object.entries(endings)) {
        it(`by ${ending} have their tokens revoked when that is done, and others have not`, async () => {
          const [{ id, user }, other] = [await kept(), await kept({ userId: 'grace' })];
          const before = await engine.statusLists.version(user.status.list);
          await end(id, user, engine.otherProcess);
          expect([await isRevoked(user), await isRevoked(other.user)]).to.deep.equal([true, false]);
          expect(await engine.statusLists.version(user.status.list)).to.be.above(before ?? 0);
        });

        it(`by ${ending} are gone with their tokens, or neither is`, async () => {
          for (const step of ['removing a session', 'revoking an entry'] as const) {
            await restart(LIFETIME);
            const { id, user } = await kept();
            await engine.fail(step);
            const isDone = await end(id, user, store).then(
              () => true,
              () => false,
            );
            // where the database says what has ended, what is left of a session elsewhere does not count
            if (step === 'revoking an entry') expect(isDone, step).to.equal(false);
            expect(await isRevoked(user), step).to.equal(isDone);
            expect(!(await get(store, id)), step).to.equal(isDone);
          }
        });

        it(`by ${ending} have their tokens revoked also when they were renewed meanwhile`, async () => {
          const { id, user } = await kept();
          await store.renewStatus({ publicId: user.publicId }, allocate);
          const renewed = await stored(id);
          await end(id, user, engine.otherProcess);
          expect(await isRevoked(renewed)).to.equal(true);
        });
      }

      it('by a new sign-in under the same id have their tokens revoked, and those of the new one are good', async () => {
        const { id, user } = await kept();
        const next = await signIn({ userId: 'grace' });
        await set(store, id, sessionOf(next));
        expect([await isRevoked(user), await isRevoked(next)]).to.deep.equal([true, false]);
      });

      it('by themselves, since nobody used them, have their tokens left alone', async () => {
        const { id, user } = await kept();
        clock.advance(DAY);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
        expect(await isRevoked(user)).to.equal(false);
      });

      it('leave the tokens of the one that was excepted alone', async () => {
        const [here, there] = [await kept(), await kept()];
        await store.revokeByUser('ada', here.user.publicId);
        expect([await isRevoked(here.user), await isRevoked(there.user)]).to.deep.equal([
          false,
          true,
        ]);
      });

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
        const { user: other } = await kept();
        expect(await store.revokeOfUser('ada', other.publicId)).to.be.true;
        expect(await store.revokeOfUser('ada', other.publicId)).to.be.false;
      });

      it('by one user are that user’s: the session of another survives, and so do its tokens', async () => {
        const [{ id, user }, own] = [await kept({ userId: 'grace' }), await kept()];
        for (const userId of ['ada', 'nobody', '', 'GRACE', '%', user.publicId]) {
          expect(await store.revokeOfUser(userId, user.publicId), userId).to.be.false;
        }
        for (const publicId of ['', '%', 'grace', id, user.publicId.toUpperCase()]) {
          expect(await store.revokeOfUser('grace', publicId), publicId).to.be.false;
        }
        expect(await get(store, id)).to.be.an('object');
        expect(await get(store, own.id)).to.be.an('object');
        expect(await isRevoked(user)).to.equal(false);
        expect(await engine.count()).to.equal(2);
      });

      it('by several requests at once are ended by one of them, and never by somebody else’s', async () => {
        const { id, user } = await kept({ userId: 'grace' });
        const users = ['ada', 'grace', 'ada', 'grace', 'ada', 'grace'];
        const attempts = users.map((userId) => store.revokeOfUser(userId, user.publicId));
        const outcomes = await Promise.all(attempts);
        expect(outcomes.filter((_, index) => index % 2 === 0)).to.not.include(true);
        expect(outcomes.filter(Boolean)).to.have.length(1);
        expect(await get(store, id)).to.be.oneOf([null, undefined]);
        expect(await isRevoked(user)).to.equal(true);
      });

      it('by a user stay with the user that they belong to by then', async () => {
        const { id, user } = await kept();
        const grace = await signIn({ userId: 'grace' });
        await set(engine.otherProcess, id, sessionOf(grace));
        expect(await store.revokeOfUser('ada', user.publicId)).to.be.false;
        expect(await store.revokeOfUser('ada', grace.publicId)).to.be.false;
        expect((await stored(id)).userId).to.equal('grace');
      });

      it("are not found by the cookie's id, only by their public one", async () => {
        const { id } = await kept();
        expect(await store.revoke(id)).to.be.false;
        expect(await get(store, id)).to.be.an('object');
      });
    });

    describe('that are all ended', () => {
      it('are gone with their tokens, also of those that the store does not list any more', async () => {
        const one = await kept();
        const other = await kept({ userId: 'bob' });
        const unlisted = await signIn();
        expect(await store.revokeAll()).to.equal(3);
        for (const { id } of [one, other]) expect(await store.find(id)).to.equal(undefined);
        for (const user of [one.user, other.user, unlisted])
          expect(await isRevoked(user)).to.equal(true);
        expect(await store.list()).to.deep.equal([]);
        expect(await store.revokeAll()).to.equal(0);
        const { id, user } = await kept();
        expect(await store.find(id)).to.deep.equal(user);
      });
    });

    describe('of one user', () => {
      it('are a hundred at most: one more ends the oldest, and its tokens', async () => {
        const sessions: { id: string; user: SignIn }[] = [];
        const bystander = await kept({ userId: 'bob' });
        for (let index = 0; index < 101; index += 1) {
          sessions.push(await kept());
          clock.advance(SECOND);
        }
        expect(await store.list('ada')).to.have.length(100);
        const [oldest, next] = sessions;
        expect(await store.find(oldest?.id ?? '')).to.equal(undefined);
        expect(oldest && (await isRevoked(oldest.user))).to.equal(true);
        expect(await store.find(next?.id ?? '')).to.deep.equal(next?.user);
        expect(await store.find(bystander.id)).to.deep.equal(bystander.user);
      }).timeout(120_000);
    });

    describe('whose tokens are revoked', () => {
      const renew = (publicId: string, by: SessionStore = store) =>
        by.renewStatus({ publicId }, allocate);

      it('go on with another entry, and the old one is revoked', async () => {
        const { id, user } = await kept();
        expect(await renew(user.publicId, engine.otherProcess)).to.equal(1);
        const renewed = await stored(id);
        expect(renewed).to.deep.equal({ ...user, status: renewed.status });
        expect(renewed.status).to.not.deep.equal(user.status);
        expect([await isRevoked(user), await isRevoked(renewed)]).to.deep.equal([true, false]);
        expect(await store.find(id)).to.deep.equal(renewed);
      });

      it('are all of a user and nobody else’s, or one of them', async () => {
        const [one, two, other] = [await kept(), await kept(), await kept({ userId: 'grace' })];
        expect(await store.renewStatus({ userId: 'ada' }, allocate)).to.equal(2);
        expect(await Promise.all([one.user, two.user, other.user].map(isRevoked))).to.deep.equal([
          true,
          true,
          false,
        ]);
        const third = await kept();
        await renew(third.user.publicId);
        expect(await isRevoked(await stored(one.id))).to.equal(false);
      });

      it('ask for an entry that lasts as long as they do', async () => {
        const { user } = await kept();
        const ends: number[] = [];
        await store.renewStatus({ userId: 'ada' }, (end, holder) => {
          ends.push(end);
          return allocate(end, holder);
        });
        expect(ends).to.deep.equal([user.expiresAt]);
      });

      it('keep the new entry whatever a request in flight writes', async () => {
        const { id, user } = await kept();
        const inFlight = await found(store, id);
        const elsewhere = await found(engine.otherProcess, id);
        await renew(user.publicId);
        const { status } = await stored(id);
        clock.advance(5 * MINUTE);
        await set(store, id, Object.assign(inFlight, { theme: 'dark' }));
        await touch(store, id, inFlight);
        await set(engine.otherProcess, id, elsewhere);
        await touch(engine.otherProcess, id, elsewhere);
        await set(store, id, sessionOf(user)); // the request that signed in
        expect((await stored(id)).status).to.deep.equal(status);
        await set(store, id, sessionOf({ ...user })); // a copy that the store has never seen
        expect((await stored(id)).status).to.deep.equal(status);
      });

      it('are not brought back when they were ended meanwhile', async () => {
        const { user } = await kept();
        const renewal = store.renewStatus({ userId: 'ada' }, async (end, holder) => {
          await engine.otherProcess.revoke(user.publicId);
          return allocate(end, holder);
        });
        expect(await renewal).to.equal(0);
        expect(await engine.count()).to.equal(0);
        expect(await isRevoked(user)).to.equal(true);
      });

      it('have one good entry in the end when two do it at once', async () => {
        const { id, user } = await kept();
        const slower = store.renewStatus({ userId: 'ada' }, async (end, holder) => {
          await renew(user.publicId, engine.otherProcess);
          return allocate(end, holder);
        });
        await slower;
        expect(await isRevoked(user)).to.equal(true);
        expect(await isRevoked(await stored(id))).to.equal(false);
        expect(await store.revokeByUser('ada')).to.equal(1);
        expect(await store.find(id)).to.equal(undefined);
      });

      it('have a good entry still when that fails; it can be done again', async () => {
        const { id, user } = await kept();
        await failureOf(
          store.renewStatus({ userId: 'ada' }, () => Promise.reject(new Error('no entry'))),
        );
        expect(await stored(id)).to.deep.equal(user);
        await renew(user.publicId);
        expect(await isRevoked(user)).to.equal(true);

        await engine.fail('revoking an entry');
        await failureOf(renew(user.publicId));
        expect(await isRevoked(await stored(id))).to.equal(false);
      });

      it('may be nobody’s', async () => {
        expect(await renew(randomUUID())).to.equal(0);
        expect(await store.renewStatus({ userId: 'nobody' }, allocate)).to.equal(0);
      });
    });

    describe('that a change of their user is the reason to end or to renew', () => {
      let users: UserStore;
      let ada: string;
      beforeEach(async () => {
        users = sqlUserStore(engine.database, clock);
        ada = (await users.add({ username: 'ada', passwordHash: '$old' })).id;
      });

      const change: Change = (db) => users.setPassword(ada, '$new', db);
      const hash = async () => {
        await setImmediate();
        return users.passwordHash(ada);
      };
      const ways: Record<string, (because: Change) => Promise<number>> = {
        'are ended': (because) => store.revokeByUser(ada, undefined, because),
        'are renewed': (because) => store.renewStatus({ userId: ada }, allocate, because),
      };

      for (const [what, act] of Object.entries(ways)) {
        const ends = what === 'are ended';

        it(`${what} with it, and others are not`, async () => {
          const [one, other] = [await kept({ userId: ada }), await kept({ userId: ada })];
          const bystander = await kept({ userId: 'grace' });
          expect(await act(change)).to.equal(2);
          expect(await hash()).to.equal('$new');
          for (const { id, user } of [one, other]) {
            expect(await isRevoked(user)).to.equal(true);
            expect((await store.find(id)) === undefined).to.equal(ends);
          }
          expect(await store.find(bystander.id)).to.deep.equal(bystander.user);
          expect(await isRevoked(bystander.user)).to.equal(false);
        });

        it(`${what} also when there is none: the change is made`, async () => {
          expect(await act(change)).to.equal(0);
          expect(await hash()).to.equal('$new');
        });

        it(`neither ${what} nor is it made when it fails`, async () => {
          const { id, user } = await kept({ userId: ada });
          const failing: Change = async (db) => {
            await change(db);
            throw new Error('no such change');
          };
          expect((await failureOf(act(failing))).message).to.equal('no such change');
          expect(await hash()).to.equal('$old');
          expect(await store.find(id)).to.deep.equal(user);
          expect(await isRevoked(user)).to.equal(false);
        });

        it(`neither ${what} nor is it made when their tokens cannot be revoked`, async () => {
          const { id, user } = await kept({ userId: ada });
          await engine.fail('revoking an entry');
          await failureOf(act(change));
          expect(await hash()).to.equal('$old');
          expect(await store.find(id)).to.deep.equal(user);
          expect(await isRevoked(user)).to.equal(false);
        });

        it(`${what} with it when the one who asks has the last of them in its hands`, async () => {
          const { id, user } = await kept({ userId: ada });
          const inFlight = await found(engine.otherProcess, id);
          await act(change);
          clock.advance(5 * MINUTE);
          await set(engine.otherProcess, id, Object.assign(inFlight, { theme: 'dark' }));
          await touch(engine.otherProcess, id, inFlight);
          expect((await store.find(id)) === undefined).to.equal(ends);
          expect(await isRevoked(user)).to.equal(true);
        });
      }

      it('are ended but for the one that is excepted', async () => {
        const [here, there] = [await kept({ userId: ada }), await kept({ userId: ada })];
        expect(await store.revokeByUser(ada, here.user.publicId, change)).to.equal(1);
        expect(await store.find(here.id)).to.deep.equal(here.user);
        expect(await store.find(there.id)).to.equal(undefined);
        expect(await hash()).to.equal('$new');
      });

      it('are renewed also when they began while the others were made ready', async () => {
        const late: { id: string; user: SignIn }[] = [];
        await kept({ userId: ada });
        const renewed = await store.renewStatus(
          { userId: ada },
          async (end, holder) => {
            if (late.length === 0) late.push(await kept({ userId: ada }));
            return allocate(end, holder);
          },
          change,
        );
        expect([renewed, await hash()]).to.deep.equal([2, '$new']);
        for (const { id, user } of late) {
          expect(await isRevoked(user)).to.equal(true);
          expect(await isRevoked(await stored(id))).to.equal(false);
        }
      });

      it('have one good entry each when two do it at once, and both changes are made', async () => {
        const { id, user } = await kept({ userId: ada });
        await Promise.all([
          store.renewStatus({ userId: ada }, allocate, change),
          store.renewStatus({ userId: ada }, allocate, (db) => users.setDisabled(ada, true, db)),
        ]);
        expect(await isRevoked(user)).to.equal(true);
        expect(await isRevoked(await stored(id))).to.equal(false);
        expect([await hash(), await users.findActive(ada)]).to.deep.equal(['$new', undefined]);
        expect(await store.revokeByUser(ada)).to.equal(1);
        expect(await store.find(id)).to.equal(undefined);
      });

      describe('and that are new', () => {
        /** What a sign-in rests on. */
        const condition: Change = async (db) => {
          if (!(await users.holdActive(ada, db, { passwordHash: '$old' })))
            throw new Error('not any more');
        };

        async function begun(): Promise<{ id: string; data: SessionData; user: SignIn }> {
          const user = await signIn({ userId: ada });
          store.keepProvided(user, condition);
          return { id: `cookie-${randomUUID()}`, data: sessionOf(user), user };
        }

        it('are kept while it holds, and may be changed after that', async () => {
          const { id, data, user } = await begun();
          await set(store, id, data);
          await users.setPassword(ada, '$new');
          await set(store, id, Object.assign(data, { theme: 'dark' }));
          expect(await found(store, id)).to.deep.include({ theme: 'dark', passport: { user } });
        });

        it('are not kept when it does not hold any more', async () => {
          const { id, data } = await begun();
          await store.revokeByUser(ada, undefined, change);
          expect((await failureOf(set(store, id, data))).message).to.equal('not any more');
          expect(await store.find(id)).to.equal(undefined);
          expect(await engine.count()).to.equal(0);
        });

        it('are not kept when all others were ended meanwhile, and nothing else has changed', async () => {
          const login = await users.findLogin('ada');
          const user = await signIn({ userId: ada });
          store.keepProvided(user, async (db) => {
            if (!(await users.holdActive(ada, db, { signOuts: login?.signOuts ?? -1 })))
              throw new Error('signed out meanwhile');
          });
          await store.revokeByUser(ada);
          const keeping = set(store, 'cookie', sessionOf(user));
          expect((await failureOf(keeping)).message).to.equal('signed out meanwhile');
          expect(await store.list(ada)).to.deep.equal([]);
        });

        it('are ended or not kept, whatever comes first', async () => {
          for (let turn = 0; turn < 10; turn += 1) {
            await users.setPassword(ada, '$old');
            const { id, data } = await begun();
            await Promise.all([
              set(store, id, data).catch(() => undefined),
              store.revokeByUser(ada, undefined, change),
            ]);
            expect(await store.find(id)).to.equal(undefined);
            expect(await store.list(ada)).to.deep.equal([]);
          }
        });
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

      it('security 16: end at the absolute limit however much they are used, to the millisecond', async () => {
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
        await set(store, 'id', sessionOf(await signIn({}, lifetime)));
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
      it('survive 1,000 operations at once: what was ended is gone with its tokens, and nothing else is', async () => {
        const sessions: { id: string; user: SignIn }[] = [];
        for (let index = 0; index < 100; index += 1) {
          sessions.push(await kept({ userId: `user-${index % 20}` }));
        }
        const ended = new Set<string>();
        const endings: Record<number, (id: string, user: SignIn) => Promise<unknown>> = {
          0: (id) => destroy(store, id),
          1: (_, { publicId }) => store.revoke(publicId),
          2: (_, { userId, publicId }) => store.revokeOfUser(userId, publicId),
          3: (_, { userId }) => store.revokeByUser(userId),
        };
        async function end(index: number, id: string, user: SignIn): Promise<void> {
          const ending = endings[index % 10];
          if (ending === undefined) return;
          await ending(id, user);
          const byUser = index % 10 === 3 ? user.userId : undefined;
          for (const one of sessions) {
            if (one.id === id || one.user.userId === byUser) ended.add(one.id);
          }
          await setImmediate();
          for (const by of [store, engine.otherProcess]) {
            expect(await by.find(id), 'found after its end was acknowledged').to.equal(undefined);
          }
        }
        // one store writes: what SQLite has for several processes would wait for itself here, in one
        const use = async (id: string, change: typeof set) => {
          const data = await get(store, id);
          if (data) await change(store, id, Object.assign(data, { theme: 'dark' }));
        };
        clock.advance(5 * MINUTE); // so that each touch writes
        await Promise.all(
          sessions.flatMap(({ id, user }, index) => [
            use(id, set),
            use(id, touch),
            store.find(id),
            end(index, id, user),
            use(id, set),
            use(id, touch),
            engine.otherProcess.find(id),
            end(index, id, user), // twice: somebody else was faster
            store.list(user.userId),
            use(id, set),
          ]),
        );
        await setImmediate();
        for (const { id, user } of sessions) {
          const found_ = await store.find(id);
          expect(found_ === undefined, id).to.equal(ended.has(id));
          expect(await isRevoked(user), id).to.equal(ended.has(id));
        }
        expect(ended.size).to.be.within(40, 60);
        expect(await engine.count()).to.equal(sessions.length - ended.size);
      }).timeout(120_000);

      it('have one sign-in each, whoever signs in under one id at the same time', async () => {
        const users = await Promise.all(
          Array.from({ length: 10 }, async (_, index) => signIn({ userId: `user-${index}` })),
        );
        await Promise.all(
          users.map((user) => set(store, 'id', sessionOf(user, { of: user.userId }))),
        );
        const winner = await found(store, 'id');
        expect(winner).to.have.property('of', winner.passport?.user?.userId);
        const revoked = await Promise.all(users.map(isRevoked));
        const good = users.filter((_, index) => revoked[index] === false);
        expect(good.map(({ publicId }) => publicId)).to.deep.equal([
          winner.passport?.user?.publicId,
        ]);
        expect(await engine.count()).to.equal(1);
      });
    });

    describe('whose store is away', () => {
      it('are told as an error by every method, never as "no such session"', async () => {
        const { id } = await kept();
        const data = await found(store, id);
        const another = sessionOf(await signIn());
        await engine.breakDown();
        clock.advance(5 * MINUTE);
        const all: Record<string, () => Promise<unknown>> = {
          get: () => get(store, id),
          'get of another': () => get(store, 'unknown'),
          set: () => set(store, id, data),
          'set of a new one': () => set(store, 'new', another),
          touch: () => touch(store, id, data),
          destroy: () => destroy(store, id),
          list: () => store.list(),
          revoke: () => store.revoke(randomUUID()),
          revokeOfUser: () => store.revokeOfUser('ada', randomUUID()),
          revokeByUser: () => store.revokeByUser('ada'),
          renewStatus: () => store.renewStatus({ userId: 'ada' }, allocate),
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
