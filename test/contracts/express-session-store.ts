import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import express, { type RequestHandler } from 'express';
import session, { type SessionData } from 'express-session';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import type { SignIn } from '../../sessions/session-store.ts';
import { DAY, HOUR, SECOND } from '../support/clock.ts';
import type { OpenSessionEngine, SessionEngine } from './session-store.ts';

const LIFETIME: SessionLifetime = { idleTimeout: DAY / SECOND, lifetime: (7 * DAY) / SECOND };

declare module 'express-session' {
  interface SessionData {
    visits?: number;
  }
}

/**
 * What express-session expects of a store, seen through its own middleware: with `resave` and `rolling` as we set them
 * and as others do. Somebody is signed in wherever something is to be kept, as our stores want it.
 */
export function expressSessionContract(name: string, open: OpenSessionEngine): void {
  describe(`express-session over ${name}`, () => {
    let engine: SessionEngine;
    let server: Server;
    let url: string;
    let cookie: string | undefined;

    async function serve(options: Partial<session.SessionOptions> = {}): Promise<void> {
      const app = express();
      app.use(
        session({
          secret: 'of this test',
          store: engine.store,
          resave: false,
          saveUninitialized: false,
          cookie: { maxAge: 7 * DAY },
          ...options,
        }),
      );
      for (const [path, handler] of Object.entries(routes)) app.get(path, handler);
      server = createServer(app).listen(0, '127.0.0.1');
      await once(server, 'listening');
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }

    async function signIn(): Promise<SignIn> {
      const holder = { sessionId: crypto.randomUUID(), userId: 'ada' };
      const now = engine.clock.now();
      return {
        publicId: holder.sessionId,
        userId: holder.userId,
        amr: 'pwd',
        createdAt: now,
        expiresAt: now + 7 * DAY,
        address: null,
        userAgent: null,
        status: await engine.statusLists.allocate(now + 7 * DAY, holder),
      };
    }

    const routes: Record<string, RequestHandler> = {
      '/look': (req, res) => void res.json(viewOf(req.session)),
      '/sign-in': async (req, res) => {
        const user = await signIn();
        Object.assign(req.session, { passport: { user }, visits: 0 });
        res.json(viewOf(req.session));
      },
      '/visit': (req, res) => {
        req.session.visits = (req.session.visits ?? 0) + 1;
        res.json(viewOf(req.session));
      },
      '/save': (req, res, next) => {
        req.session.visits = (req.session.visits ?? 0) + 1;
        req.session.save((error: unknown) => (error ? next(error) : res.json(viewOf(req.session))));
      },
      '/reload': (req, res, next) => {
        req.session.visits = 1000; // forgotten again
        req.session.reload((error: unknown) => {
          if (error) next(error);
          else res.json(viewOf(req.session));
        });
      },
      '/regenerate': (req, res, next) => {
        const { passport } = req.session;
        const regenerated = promisify(req.session.regenerate.bind(req.session))();
        regenerated
          .then(async () => {
            // the sign-in of before has ended with its session: a new one, as Passport makes it
            if (passport?.user) Object.assign(req.session, { passport: { user: await signIn() } });
            res.json(viewOf(req.session));
          })
          .catch(next);
      },
      '/destroy': (req, res, next) => {
        req.session.destroy((error: unknown) => {
          if (error) next(error);
          else res.json({ session: typeof req.session });
        });
      },
      '/destroy-elsewhere': (req, res, next) => {
        engine.otherProcess.destroy(req.sessionID, (error) => {
          if (error !== undefined && error !== null) {
            next(error);
            return;
          }
          req.session.visits = 77; // what a request in flight writes at its end
          res.json({});
        });
      },
      '/unset': (req, res) => {
        Reflect.deleteProperty(req, 'session');
        res.json({});
      },
    };

    const viewOf = (data: Partial<SessionData>) => ({
      visits: data.visits ?? null,
      user: data.passport?.user?.userId ?? null,
    });

    /** A request of one browser. @returns status, body, and whether a cookie was set */
    async function browse(path: string) {
      const response = await fetch(url + path, { headers: cookie === undefined ? {} : { cookie } });
      const set = response.headers.getSetCookie()[0];
      if (set !== undefined) cookie = set.split(';', 1)[0];
      const body: unknown = response.status === 200 ? await response.json() : await response.text();
      return { status: response.status, body, set };
    }

    beforeEach(async () => {
      engine = await open(LIFETIME);
      cookie = undefined;
    });
    afterEach(async () => {
      server.closeAllConnections();
      server.close();
      await engine[Symbol.asyncDispose]();
    });

    it('keeps nothing and sets no cookie for a visitor who leaves nothing', async () => {
      await serve();
      const { body, set } = await browse('/look');
      expect([body, set]).to.deep.equal([{ visits: null, user: null }, undefined]);
      expect(await engine.count()).to.equal(0);
    });

    it('keeps what was put into the session from request to request', async () => {
      await serve();
      expect((await browse('/sign-in')).set).to.match(/^connect\.sid=s%3A/);
      for (let visits = 1; visits <= 3; visits += 1) {
        expect((await browse('/visit')).body).to.deep.equal({ visits, user: 'ada' });
      }
      expect((await browse('/look')).body).to.deep.equal({ visits: 3, user: 'ada' });
      expect(await engine.count()).to.equal(1);
    });

    it('gives an unknown, a forged and an ended id a session without anything', async () => {
      await serve();
      await browse('/sign-in');
      const own = cookie ?? '';
      for (const other of ['connect.sid=s%3Aunknown.signature', 'connect.sid=nothing', '']) {
        cookie = other;
        expect((await browse('/look')).body, other).to.deep.equal({ visits: null, user: null });
      }
      cookie = own;
      await browse('/destroy');
      cookie = own;
      expect((await browse('/look')).body).to.deep.equal({ visits: null, user: null });
    });

    it('tells two browsers apart', async () => {
      await serve();
      await browse('/sign-in');
      await browse('/visit');
      const first = cookie;
      cookie = undefined;
      await browse('/sign-in');
      expect((await browse('/look')).body).to.deep.equal({ visits: 0, user: 'ada' });
      cookie = first;
      expect((await browse('/look')).body).to.deep.equal({ visits: 1, user: 'ada' });
    });

    it('saves at once when it is told to, and not once more at the end', async () => {
      await serve();
      await browse('/sign-in');
      expect((await browse('/save')).body).to.deep.equal({ visits: 1, user: 'ada' });
      expect((await browse('/look')).body).to.deep.equal({ visits: 1, user: 'ada' });
    });

    it('reads again what is stored when it is told to reload', async () => {
      await serve();
      await browse('/sign-in');
      await browse('/visit');
      expect((await browse('/reload')).body).to.deep.equal({ visits: 1, user: 'ada' });
      expect((await browse('/look')).body).to.deep.equal({ visits: 1, user: 'ada' });
    });

    it('ends the session of before with regenerate, and goes on under another id', async () => {
      await serve();
      await browse('/sign-in');
      const before_ = cookie;
      expect((await browse('/regenerate')).body).to.deep.equal({ visits: null, user: 'ada' });
      expect(cookie).not.to.equal(before_);
      expect((await browse('/look')).body).to.deep.equal({ visits: null, user: 'ada' });
      cookie = before_;
      expect((await browse('/look')).body).to.deep.equal({ visits: null, user: null });
      expect(await engine.count()).to.equal(1);
    });

    it('has no session any more after destroy, in the request and in the store', async () => {
      await serve();
      await browse('/sign-in');
      expect((await browse('/destroy')).body).to.deep.equal({ session: 'undefined' });
      expect(await engine.count()).to.equal(0);
    });

    it('leaves the session with "unset: keep" and ends it with "unset: destroy"', async () => {
      for (const unset of ['keep', 'destroy'] as const) {
        await serve({ unset });
        cookie = undefined;
        await browse('/sign-in');
        const before_ = await engine.count();
        await browse('/unset');
        expect(await engine.count(), unset).to.equal(unset === 'keep' ? before_ : before_ - 1);
        server.closeAllConnections();
        server.close();
      }
    });

    for (const options of [{ resave: false }, { resave: true }, { resave: true, rolling: true }]) {
      it(`does not bring back what another process ended meanwhile: ${JSON.stringify(options)}`, async () => {
        await serve(options);
        await browse('/sign-in');
        const own = cookie;
        await browse('/destroy-elsewhere');
        expect(await engine.count()).to.equal(0);
        cookie = own;
        expect((await browse('/look')).body).to.deep.equal({ visits: null, user: null });
      });

      it(`goes on while it is used, and ends when it is not: ${JSON.stringify(options)}`, async () => {
        await serve(options);
        await browse('/sign-in');
        for (let half = 0; half < 4; half += 1) {
          engine.clock.advance(DAY - HOUR);
          expect((await browse('/look')).body).to.deep.equal({ visits: 0, user: 'ada' });
        }
        engine.clock.advance(DAY);
        expect((await browse('/look')).body).to.deep.equal({ visits: null, user: null });
      });
    }

    it('sets the cookie again at each answer with "rolling", and else at sign-in only', async () => {
      for (const rolling of [true, false]) {
        await serve({ rolling });
        cookie = undefined;
        await browse('/sign-in');
        expect((await browse('/look')).set !== undefined, String(rolling)).to.equal(rolling);
        server.closeAllConnections();
        server.close();
      }
    });

    it('keeps each of many requests of one browser at once apart from an ending', async () => {
      await serve();
      await browse('/sign-in');
      const own = { cookie: cookie ?? '' };
      const paths = Array.from({ length: 30 }, (_, index) =>
        index === 10 ? '/destroy' : index % 2 ? '/visit' : '/look',
      );
      const answers = await Promise.all(paths.map((path) => fetch(url + path, { headers: own })));
      for (const { status } of answers) expect(status).to.equal(200);
      expect(await engine.count()).to.equal(0);
    });

    it('hands on the error of a store that is away: nobody is a stranger then', async () => {
      await serve();
      await browse('/sign-in');
      await engine.breakDown();
      for (const path of ['/look', '/visit', '/destroy']) {
        expect((await browse(path)).status, path).to.equal(500);
      }
    });
  });
}
