import { expect } from 'chai';
import { ALLOWANCES, Attempts, type AttemptStore, type Bucket } from '../../users/attempts.ts';
import { DAY, HOUR, MINUTE, SECOND, type TestClock } from '../support/clock.ts';

/** An engine under test, empty. */
export interface AttemptEngine extends AsyncDisposable {
  readonly store: AttemptStore;
  /** The same counts, as other processes have them. */
  readonly otherProcesses: readonly AttemptStore[];
  readonly clock: TestClock;
  /** Everything that is kept, as text. */
  kept(): Promise<string>;
}

const ALLOWANCE = { limit: 10, period: 15 * MINUTE };
const SHARE = 90 * SECOND;

/** What is promised of counting attempts, on every engine. */
export function attemptsContract(name: string, open: () => Promise<AttemptEngine>): void {
  describe(`attempts in ${name}`, () => {
    let engine: AttemptEngine;
    let store: AttemptStore;
    let clock: TestClock;
    beforeEach(async () => {
      engine = await open();
      ({ store, clock } = engine);
    });
    afterEach(() => engine[Symbol.asyncDispose]());

    const take = (by = store) => by.take('ada', ALLOWANCE);

    async function fill(): Promise<void> {
      for (let left = ALLOWANCE.limit; left > 0; left -= 1) expect(await take()).to.equal(0);
    }

    it('are let through up to the limit, and then told to wait for the share of one', async () => {
      await fill();
      expect(await take()).to.equal(SHARE);
    });

    it('can be looked at without being counted', async () => {
      expect(await store.wait('ada', ALLOWANCE)).to.equal(0);
      await fill();
      clock.advance(MINUTE);
      expect(await store.wait('ada', ALLOWANCE)).to.equal(SHARE - MINUTE);
      clock.advance(SHARE - MINUTE);
      expect([await store.wait('ada', ALLOWANCE), await take()]).to.deep.equal([0, 0]);
      clock.advance(-DAY);
      expect(await store.wait('ada', ALLOWANCE)).to.equal(0);
    });

    it('are counted for each key by itself', async () => {
      await fill();
      expect(await store.take('grace', ALLOWANCE)).to.equal(0);
    });

    it('are forgotten one after another, to the millisecond', async () => {
      await fill();
      clock.advance(SHARE - 1);
      expect(await take()).to.equal(1);
      clock.advance(1);
      expect([await take(), await take()]).to.deep.equal([0, SHARE]);
    });

    it('are all forgotten after the period, and no more than that is saved up', async () => {
      await fill();
      clock.advance(DAY);
      await fill();
      expect(await take()).to.equal(SHARE);
    });

    it('do not put the wait off while it lasts', async () => {
      await fill();
      clock.advance(MINUTE);
      for (let left = 50; left > 0; left -= 1) await take();
      expect(await take()).to.equal(SHARE - MINUTE);
    });

    it('security 13: pass no more than the limit when 100 come at once over three processes', async () => {
      const stores = [store, ...engine.otherProcesses];
      const waits = await Promise.all(
        Array.from({ length: 100 }, (_, index) => take(stores[index % stores.length])),
      );
      expect(waits.filter((wait) => wait === 0)).to.have.length(ALLOWANCE.limit);
      expect(Math.min(...waits.filter((wait) => wait > 0))).to.equal(SHARE);
    });

    it('make room again when one is given back', async () => {
      await fill();
      await store.giveBack('ada', ALLOWANCE);
      expect([await take(), await take()]).to.deep.equal([0, SHARE]);
    });

    it('cannot be given back in advance', async () => {
      await store.giveBack('ada', ALLOWANCE);
      await take();
      for (let left = 20; left > 0; left -= 1) await store.giveBack('ada', ALLOWANCE);
      await fill();
      expect(await take()).to.equal(SHARE);
    });

    it('are forgotten on demand', async () => {
      await fill();
      await store.forget('ada');
      await fill();
    });

    it('of a clock that was far ahead count for nothing', async () => {
      clock.advance(365 * DAY);
      await fill();
      clock.advance(-365 * DAY);
      expect(await take()).to.equal(0);
    });

    it('of a clock that is half a minute ahead count', async () => {
      clock.advance(30 * SECOND);
      await fill();
      clock.advance(-30 * SECOND);
      expect(await take()).to.equal(SHARE + 30 * SECOND);
    });

    describe('that are named', () => {
      const account: Bucket = { kind: 'account', subject: 'ada' };
      const address: Bucket = { kind: 'address', subject: '192.0.2.1' };
      let attempts: Attempts;
      beforeEach(() => {
        attempts = new Attempts(store, 'a secret of this test');
      });

      async function fillUp(bucket: Bucket): Promise<void> {
        while ((await attempts.count([bucket])) === undefined);
      }

      it('are not counted anywhere when one of their buckets is full', async () => {
        await fillUp(account);
        for (let left = 2 * ALLOWANCES.address.limit; left > 0; left -= 1) {
          const refusal = await attempts.count([address, account]);
          expect(refusal).to.include({ kind: 'account', wait: SHARE });
        }
        expect(await attempts.count([address])).to.equal(undefined);
      });

      it('do not reach an account from a network that is full', async () => {
        await fillUp(address);
        for (let left = 20; left > 0; left -= 1) {
          expect(await attempts.count([address, account])).to.include({ kind: 'address' });
        }
        for (let left = ALLOWANCES.account.limit; left > 0; left -= 1) {
          expect(await attempts.count([account])).to.equal(undefined);
        }
      });

      it('share a bucket in every spelling of a name, and only with their own kind', async () => {
        await fillUp(account);
        for (const subject of ['ADA', 'ａｄａ', 'Ａda']) {
          expect(await attempts.count([{ kind: 'account', subject }]), subject).to.not.equal(
            undefined,
          );
        }
        expect(await attempts.count([{ kind: 'client', subject: 'ada' }])).to.equal(undefined);
      });

      it('leave no name behind, however long it was', async () => {
        await attempts.count([account, address]);
        await attempts.count([{ kind: 'account', subject: 'hunter2'.repeat(1000) }]);
        const kept = await engine.kept();
        expect(kept).to.not.match(/ada|192|hunter2/i);
        expect(kept.length).to.be.within(3 * 40, 3 * 200);
      });

      it('forget within the period, so that nobody is locked out for ever', () => {
        for (const { limit, period } of Object.values(ALLOWANCES)) {
          expect(period).to.be.at.most(HOUR);
          expect(period % limit).to.equal(0);
        }
      });
    });
  });
}
