import { expect } from 'chai';
import { createAuthOn } from '../../packages/client/auth.ts';
import { type Auth, AuthError } from '../../packages/client/index.ts';
import { breath, settled, VirtualBrowser, type VirtualTab } from './simulation.ts';
import { VirtualService } from './virtual-service.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const ADA = { username: 'ada', password: 'x' };
const BOB = { username: 'bob', password: 'x' };

describe('what comes late', () => {
  let browser: VirtualBrowser;
  let service: VirtualService;
  let messages: unknown[];
  let opened: Auth[];

  beforeEach(() => {
    browser = new VirtualBrowser();
    service = new VirtualService(browser.time);
    messages = [];
    opened = [];
    browser.channel.add((message) => void messages.push(message));
  });
  afterEach(() => {
    for (const auth of opened) auth.close();
  });

  function open(): { auth: Auth; tab: VirtualTab; states: string[] } {
    const tab = browser.tab();
    const auth = createAuthOn(tab, { baseUrl: 'http://service', fetch: service.fetchOf() });
    const states: string[] = [];
    auth.subscribe(() => states.push(auth.state));
    opened.push(auth);
    return { auth, tab, states };
  }

  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'fine',
      (error: unknown) => (error instanceof AuthError ? error.code : String(error)),
    );

  it('an exchange that is under way at a logout brings nothing back', async () => {
    const { auth, states } = open();
    await auth.login(ADA);
    service.weather = 'slow';
    const token = codeOf(auth.getToken({ refused: await auth.getToken() }));
    await settled();
    service.weather = 'fine';
    void auth.logout();
    await browser.time.advance(20 * SECOND);
    expect(await token).to.equal('session_required');
    expect(states.slice(states.indexOf('signed-in'))).to.deep.equal(['signed-in', 'signed-out']);
  });

  it('a login that is under way at a logout comes to nothing, here and at the service', async () => {
    const { auth, states } = open();
    await settled();
    service.weather = 'slow';
    const login = codeOf(auth.login(ADA));
    await settled();
    service.weather = 'fine';
    void auth.logout();
    await browser.time.advance(20 * SECOND);
    expect(await login).to.equal('superseded');
    expect(states).not.to.include('signed-in');
    expect(service.sessions.size).to.equal(0);
  });

  it('a token of somebody who was signed in before does not bring them back', async () => {
    const [one, two] = [open(), open()];
    await one.auth.login(ADA);
    await settled();
    const old = messages.at(-1);
    await one.auth.login(BOB);
    await settled();
    two.states.length = 0;
    two.tab.hear(old);
    await breath();
    expect(two.auth.user?.username).not.to.equal('ada');
    await settled();
    expect([two.auth.state, two.auth.user?.username]).to.deep.equal(['signed-in', 'bob']);
  });

  it('a token of a session that was signed out does not bring it back', async () => {
    const [one, two] = [open(), open()];
    await one.auth.login(ADA);
    await settled();
    const old = messages.at(-1);
    await one.auth.logout();
    await settled();
    two.states.length = 0;
    two.tab.hear(old);
    await settled();
    expect([two.auth.state, two.states]).to.deep.equal(['signed-out', []]);
  });

  it('a refusal from before somebody signed in signs nobody out', async () => {
    const [one, two] = [open(), open()];
    service.weather = 'slow'; // both ask, and one of them waits
    await settled();
    service.weather = 'fine';
    await one.auth.login(ADA);
    await browser.time.advance(20 * SECOND);
    expect([one.auth.state, two.auth.state]).to.deep.equal(['signed-in', 'signed-in']);
    expect(one.states).to.deep.equal(['signed-in']);
  });

  it('a logout that has not reached the service is made up for as soon as it shows', async () => {
    const { auth, tab } = open();
    await auth.login(ADA);
    service.weather = 'down';
    expect(await codeOf(auth.logout())).to.equal('unreachable');
    expect([auth.state, service.sessions.size]).to.deep.equal(['signed-out', 1]);
    service.weather = 'fine';
    await browser.time.advance(10 * SECOND);
    tab.wake();
    await settled();
    expect([auth.state, service.sessions.size]).to.deep.equal(['signed-out', 0]);
  });

  it('a logout in a tab that does not know yet who is signed in is one in all tabs', async () => {
    const { auth, tab } = open();
    await auth.login(ADA);
    tab.hidden = true;
    const other = open();
    await other.auth.logout();
    await settled();
    expect([auth.state, other.auth.state]).to.deep.equal(['signed-out', 'signed-out']);
    expect(await codeOf(auth.getToken())).to.equal('session_required');
  });

  it('tabs that have other cookies than each other do not ask for ever', async () => {
    const one = open();
    await one.auth.login(ADA);
    const [mine, theirs] = [service, new VirtualService(browser.time, 'their')];
    service = theirs;
    const two = open();
    await two.auth.login(BOB);
    await browser.time.advance(24 * HOUR);
    expect([one.auth.user?.username, two.auth.user?.username]).to.deep.equal(['ada', 'bob']);
    expect(mine.exchanges + theirs.exchanges).to.be.below(30);
  });

  it('nothing happens any more after close', async () => {
    const { auth, tab } = open();
    await auth.login(ADA);
    auth.close();
    const { exchanges } = service;
    await browser.time.advance(24 * HOUR);
    tab.wake();
    await settled();
    expect(service.exchanges).to.equal(exchanges);
    expect(await codeOf(auth.getToken())).to.equal('closed');
    expect(await codeOf(auth.login(BOB))).to.equal('closed');
  });

  it('close ends the wait of everybody', async () => {
    const { auth } = open();
    service.weather = 'silent';
    const token = codeOf(auth.getToken());
    await settled();
    auth.close();
    expect(await token).to.equal('closed');
  });
});
