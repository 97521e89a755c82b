import { expect } from 'chai';
import { createAuthOn } from '../../packages/client/auth.ts';
import type { Auth } from '../../packages/client/index.ts';
import { settled, VirtualBrowser, type VirtualTab } from './simulation.ts';
import { VirtualService } from './virtual-service.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;

/** Tokens last six hours. */
describe('as time passes, the client', () => {
  let browser: VirtualBrowser;
  let service: VirtualService;
  let tab: VirtualTab;
  let auth: Auth;

  beforeEach(async () => {
    browser = new VirtualBrowser();
    service = new VirtualService(browser.time);
    tab = browser.tab();
    auth = createAuthOn(tab, { baseUrl: 'http://service', fetch: service.fetchOf() });
    await auth.login({ username: 'ada', password: 'x' });
    service.exchanges = 0;
  });
  afterEach(() => auth.close());

  it('renews a token in the last third of its life, before it is asked', async () => {
    await browser.time.advance(4 * HOUR);
    expect(service.exchanges).to.equal(0);
    await browser.time.advance(1.5 * HOUR);
    expect(service.exchanges).to.equal(1);
  });

  it('renews at another time than other tabs', async () => {
    tab.luck = 0.99;
    await auth.getToken({ refused: await auth.getToken() });
    await browser.time.advance(4.8 * HOUR);
    expect(service.exchanges).to.equal(1);
    await browser.time.advance(0.5 * HOUR);
    expect(service.exchanges).to.equal(2);
  });

  it('goes by no clock that somebody set', async () => {
    const token = await auth.getToken();
    tab.wallError = -YEAR;
    expect(await auth.getToken()).to.equal(token);
    expect(service.exchanges).to.equal(0);
  });

  it('asks for another token when the clock says that this one is over, which it may not be', async () => {
    const token = await auth.getToken();
    tab.wallError = YEAR;
    service.weather = 'down';
    expect(await auth.getToken()).to.equal(token);
    service.weather = 'fine';
    await browser.time.advance(2 * SECOND);
    expect(await auth.getToken()).not.to.equal(token);
  });

  it('hands out no token that has died while the device slept', async () => {
    const token = await auth.getToken();
    browser.time.now += 8 * HOUR;
    tab.slept = 8 * HOUR;
    expect(await auth.getToken()).not.to.equal(token);
  });

  it('asks at wake-up, once, whatever told it', async () => {
    browser.time.now += 8 * HOUR;
    tab.slept = 8 * HOUR;
    for (let event = 0; event < 3; event += 1) tab.wake();
    await settled();
    tab.wake();
    await settled();
    expect(service.exchanges).to.equal(1);
  });

  it('keeps no session in use in a page that nobody sees', async () => {
    tab.hidden = true;
    await browser.time.advance(24 * HOUR);
    expect(service.exchanges).to.equal(0);
    tab.hidden = false;
    tab.wake();
    await settled();
    expect(service.exchanges).to.equal(1);
  });

  it('asks more and more rarely while there is no network, and at once when there is', async () => {
    service.weather = 'down';
    tab.wake();
    await browser.time.advance(4 * SECOND);
    tab.wake();
    await settled();
    service.exchanges = 0;
    await browser.time.advance(HOUR);
    expect(service.exchanges).to.be.within(45, 65);
    expect([auth.state, auth.user?.username]).to.deep.equal(['offline', 'ada']);
    service.weather = 'fine';
    tab.wake();
    await settled();
    expect(auth.state).to.equal('signed-in');
  });

  it('does not ask before the time that the service named, whatever happens', async () => {
    await browser.time.advance(4 * SECOND);
    service.weather = 'busy';
    tab.wake();
    await settled();
    service.weather = 'fine';
    const { exchanges } = service;
    await browser.time.advance(19 * SECOND);
    tab.wake();
    await auth.getToken();
    await settled();
    expect(service.exchanges).to.equal(exchanges);
    await browser.time.advance(10 * SECOND);
    expect([service.exchanges, auth.state]).to.deep.equal([exchanges + 1, 'signed-in']);
  });

  it('takes a token that dies on its way, and does not ask again and again for one that lives', async () => {
    service.expiresIn = 4;
    service.weather = 'slow';
    const token = auth.getToken({ refused: await auth.getToken() });
    await browser.time.advance(5 * SECOND);
    expect(await token).to.equal(Array.from(service.issued.keys()).at(-1));
    expect(service.exchanges).to.equal(1);
  });

  it('gets one token for many tabs', async () => {
    const others = Array.from({ length: 5 }, () =>
      createAuthOn(browser.tab(), { baseUrl: 'http://service', fetch: service.fetchOf() }),
    );
    const tokens = await Promise.all(others.map((other) => other.getToken()));
    for (const other of others) other.close();
    expect(new Set(tokens).size).to.equal(1);
    expect(service.exchanges).to.equal(1);
  });
});
