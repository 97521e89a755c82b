import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { Population } from '../../bench/population.ts';
import { engines } from '../../bench/stores.ts';
import { Client } from '../support/client.ts';
import { onEngines } from '../support/database.ts';
import { skipWithoutRedisServer } from '../support/redis-server.ts';
import { startService } from '../support/service-process.ts';

const COUNT = 250;
const surroundings = { signal: new AbortController().signal, progress: () => undefined };

/** Stores sessions, exchanges some of them at a real service, and sees to it that nothing is left. */
async function exchangeStored(name: string): Promise<void> {
  const open = engines[name];
  if (!open) throw new Error(`there is no engine called ${name}`);
  await using store = await open();
  const population = new Population(COUNT, Date.now());
  expect(await store.write(population, surroundings)).to.be.greaterThan(COUNT * 100);
  {
    await using service = await startService({
      ...store.settings,
      SESSION_SECRET: population.secret,
    });
    for (const { username, cookie } of population.some(3)) {
      const headers = { Cookie: cookie };
      const answer = await fetch(`${service.url}/auth/session`, { headers });
      expect(answer.status).to.equal(200);
      expect(await answer.json()).to.have.nested.property('user.username', username);
      const sessions = await fetch(`${service.url}/auth/sessions`, { headers });
      expect(await sessions.json())
        .to.have.property('sessions')
        .with.length.greaterThan(50);
      const logout = await fetch(`${service.url}/auth/logout`, { method: 'POST', headers });
      expect(logout.status).to.be.oneOf([200, 204]);
      const after = await fetch(`${service.url}/auth/token`, { headers });
      expect(after.status).to.equal(401);
    }
    const stranger = new Client(service.url);
    expect((await stranger.get('/auth/token')).status).to.equal(401);
  }
}

describe('the sessions that a benchmark stores', function () {
  this.timeout(120_000);

  onEngines((engine) => {
    it(`are sessions for the service, on ${engine}`, () =>
      exchangeStored(engine === 'SQLite' ? 'sqlite' : 'postgres'));
  });

  it('are sessions for the service, in Redis', async function () {
    skipWithoutRedisServer(this);
    await exchangeStored('redis');
  });

  it('are gone with their store', async () => {
    const store = await engines['sqlite']?.();
    const file = (store?.settings['DATABASE_URL'] ?? '').slice('sqlite:'.length);
    await store?.write(new Population(1, Date.now()), surroundings);
    expect(existsSync(file)).to.equal(true);
    await store?.[Symbol.asyncDispose]();
    expect(existsSync(file)).to.equal(false);
  });

  it('are not stored to the end after Ctrl-C', async () => {
    await using store = await engines['sqlite']?.();
    const signal = AbortSignal.abort(new Error('stopped'));
    const writing = store?.write(new Population(1, Date.now()), { ...surroundings, signal });
    const failure = await writing?.catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('message', 'stopped');
  });
});

describe('a population', () => {
  const population = new Population(130_000, Date.now());

  it('has an entry for each session, in as many lists as they need', () => {
    const taken = new Set<string>();
    const lists = new Set<string>();
    for (const { session, entry } of population.sessions()) {
      expect(entry.idx < 2 ** 17 && entry.list_id === session.status_list).to.equal(true);
      taken.add(`${entry.list_id} ${entry.idx}`);
      lists.add(entry.list_id);
    }
    expect(taken.size).to.equal(population.count);
    expect([...lists]).to.deep.equal([...population.lists()].map(({ id }) => id));
    expect(lists.size).to.equal(2);
  });

  it('has a user for every hundred sessions', () => {
    expect([...population.users()]).to.have.length(1300);
  });

  it('draws each session once, from all of them', () => {
    const drawn = population.some(1000);
    expect(new Set(drawn.map(({ cookie }) => cookie)).size).to.equal(1000);
    expect(new Set(drawn.map(({ username }) => username)).size).to.be.greaterThan(500);
    expect(new Population(7, Date.now()).some(1000)).to.have.length(7);
  });
});
