import { expect } from 'chai';
import fc from 'fast-check';
import { createAuthOn } from '../../packages/client/auth.ts';
import { type Auth, AuthError } from '../../packages/client/index.ts';
import { settled, VirtualBrowser, type VirtualTab } from './simulation.ts';
import { VirtualService, type Weather } from './virtual-service.ts';

const TABS = 3;
const MINUTE = 60_000;

/** Something that happens, in one of the tabs or to all of them. */
type Event =
  | { readonly kind: 'login'; readonly tab: number; readonly user: string }
  | { readonly kind: 'logout' | 'wake' | 'token'; readonly tab: number; readonly audience: string }
  | { readonly kind: 'weather'; readonly weather: Weather }
  | { readonly kind: 'late'; readonly tab: number; readonly message: number }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'clock'; readonly tab: number; readonly minutes: number }
  | { readonly kind: 'elsewhere' };

const tab = fc.nat(TABS - 1);
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('login' as const), tab, user: fc.constantFrom('ada', 'bob') }),
  fc.record({
    kind: fc.constantFrom('logout', 'wake', 'token', 'token'),
    tab,
    audience: fc.constantFrom('', 'orders'),
  }),
  fc.record({
    kind: fc.constant('weather' as const),
    weather: fc.constantFrom<Weather>(
      'fine',
      'fine',
      'down',
      'silent',
      'portal',
      'busy',
      'gateway-401',
      'slow',
    ),
  }),
  fc.record({ kind: fc.constant('late' as const), tab, message: fc.nat(50) }),
  fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(0, 1, 7, 60, 20_000) }),
  fc.record({
    kind: fc.constant('clock' as const),
    tab,
    minutes: fc.constantFrom(-100_000, -10, 10, 100_000),
  }),
  fc.record({ kind: fc.constant('elsewhere' as const) }),
);

/** A browser with some tabs of an app, and what the client must hold whatever happens. */
class World {
  readonly browser = new VirtualBrowser();
  readonly service = new VirtualService(this.browser.time);
  readonly platforms: VirtualTab[] = [];
  readonly tabs: Auth[] = [];
  /** Every message that was ever posted: any of them may come late, and again. */
  readonly messages: object[] = [];
  /** Sessions whose logout may not have reached the service. */
  readonly untold = new Set<string>();
  /** Sessions that somebody has signed out. */
  readonly signedOut = new Set<string>();
  /** Sessions that a tab called over, and were not. */
  readonly falseNews: string[] = [];
  logouts = 0;
  isLoggingOut = false;
  hadTrouble = false;

  constructor() {
    this.browser.channel.add((message) => {
      this.messages.push(message as object);
      this.lookAt(message as { out?: string });
    });
    for (let index = 0; index < TABS; index += 1) this.open();
  }

  open(): void {
    const platform = this.browser.tab();
    const auth = createAuthOn(platform, {
      baseUrl: 'http://service',
      fetch: this.service.fetchOf(),
    });
    let reasons = 0;
    auth.subscribe(() => {
      const now = this.service.refusals + this.logouts;
      if (auth.state === 'signed-out') expect(now, 'reasons to sign out').to.be.above(reasons);
      else if (auth.state === 'signed-in') reasons = now;
      else if (auth.state === 'offline') expect(this.hadTrouble, 'a reason').to.equal(true);
    });
    this.platforms.push(platform);
    this.tabs.push(auth);
  }

  /** No tab may say that a session is over that is not, unless it was told to sign out. */
  lookAt({ out }: { out?: string }): void {
    if (out === undefined) return;
    if (this.isLoggingOut) this.signedOut.add(out);
    const { cookie, sessions } = this.service;
    const isOver = this.signedOut.has(out) || cookie !== out || !sessions.has(out);
    if (!isOver) this.falseNews.push(out);
  }

  async happen(event: Event): Promise<void> {
    const { service, browser } = this;
    switch (event.kind) {
      case 'login':
        void this.tabs[event.tab]?.login({ username: event.user, password: 'x' }).catch(expected);
        break;
      case 'logout':
        this.logout(event.tab);
        break;
      case 'wake':
        this.platforms[event.tab]?.wake();
        break;
      case 'token':
        this.wantToken(event.tab, event.audience);
        break;
      case 'weather':
        service.weather = event.weather;
        this.hadTrouble ||= event.weather !== 'fine';
        break;
      case 'late':
        this.platforms[event.tab]?.hear(this.messages[event.message % this.messages.length]);
        break;
      case 'pass':
        await browser.time.advance(event.seconds * 1000);
        break;
      case 'clock':
        for (const platform of this.platforms) platform.wallError += event.minutes * MINUTE;
        break;
      case 'elsewhere':
        service.sessions.clear();
        break;
    }
    await settled();
    expect(this.falseNews, 'sessions that are over, says a tab').to.deep.equal([]);
    expect(service.most, 'exchanges for one audience at once').to.be.at.most(1);
  }

  logout(index: number): void {
    this.logouts += 1;
    const { cookie } = this.service;
    const auth = this.tabs[index];
    this.isLoggingOut = true;
    auth?.logout().catch((error: unknown) => {
      expected(error);
      if (cookie !== undefined) this.untold.add(cookie);
    });
    this.isLoggingOut = false;
    expect([auth?.state, auth?.user]).to.deep.equal(['signed-out', undefined]);
  }

  /** Whatever a tab hands out is a token of a session that nobody has signed out. */
  wantToken(index: number, audience: string): void {
    const auth = this.tabs[index];
    const over = new Set([...this.service.replaced, ...this.signedOut]);
    auth
      ?.getToken({ audience })
      .then((token) => {
        expect(auth.state).to.be.oneOf(['signed-in', 'offline']);
        expect([...over], 'sessions that are over').not.to.include(this.service.issued.get(token));
      })
      .catch(expected);
  }

  /** When everything works again and some time passes, all tabs know what is the case. */
  async comeToRest(): Promise<void> {
    const { service } = this;
    service.weather = 'fine';
    await this.browser.time.advance(10 * MINUTE);
    for (const platform of this.platforms) platform.wake();
    await this.browser.time.advance(MINUTE);
    expect(this.falseNews, 'sessions that are over, says a tab').to.deep.equal([]);
    const { cookie = '' } = service;
    const user = service.sessions.get(cookie);
    for (const { state, user: seen } of this.tabs) {
      if (this.untold.has(cookie) && state === 'signed-out') continue;
      expect([state, seen?.username]).to.deep.equal([user ? 'signed-in' : 'signed-out', user]);
    }
  }

  async close(): Promise<void> {
    for (const auth of this.tabs) auth.close();
    await settled();
  }
}

function expected(error: unknown): void {
  if (!(error instanceof AuthError)) throw error;
}

describe('whatever happens, the client', function () {
  this.timeout(120_000);

  it('knows in the end who is signed in, hands out no token of a session that was signed out, and never asks twice at once', () =>
    fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { maxLength: 30 }), async (events) => {
        const world = new World();
        try {
          for (const one of events) await world.happen(one);
          await world.comeToRest();
        } finally {
          await world.close();
        }
      }),
      { numRuns: 300 },
    ));
});
