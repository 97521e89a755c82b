import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { z } from 'zod';
import { type StatusEntry, sqlStatusLists, type StatusLists } from '../../tokens/status-lists.ts';
import { DAY, HOUR, TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';

const SIZE = 2 ** 17;
const ADA = { sessionId: 'one', userId: 'ada' };
const run = promisify(execFile);
const text = ({ list, index }: StatusEntry) => `${list} ${index}`;

onEngines((engine) =>
  describe(`status lists in ${engine}`, () => {
    let temporary: TemporaryDatabase;
    let clock: TestClock;
    let lists: StatusLists;
    const small = (size: number) => sqlStatusLists(temporary.database, clock, size);
    const inAnHour = () => clock.now() + HOUR;

    beforeEach(async () => {
      temporary = await temporaryDatabase(engine);
      clock = new TestClock();
      lists = sqlStatusLists(temporary.database, clock);
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    async function allocate(count: number, from = lists, end = inAnHour()): Promise<StatusEntry[]> {
      const entries: StatusEntry[] = [];
      for (let left = count; left > 0; left -= 1) entries.push(await from.allocate(end, ADA));
      return entries;
    }

    describe('give away entries', () => {
      it('that nobody else has, all over one list of 2^17', async () => {
        const entries = await allocate(500);
        expect(new Set(entries.map(text)).size).to.equal(500);
        expect(new Set(entries.map(({ list }) => list)).size).to.equal(1);
        for (const { index } of entries) expect(index).to.be.within(0, SIZE - 1);
        const inFirstHalf = entries.filter(({ index }) => index < SIZE / 2).length;
        expect(inFirstHalf).to.be.within(150, 350); // outside of that once in 10^18 runs
      });

      it('in no order: neighbours are not neighbours in time', async () => {
        const indices = (await allocate(50)).map(({ index }) => index);
        expect(indices).to.not.deep.equal(indices.toSorted((a, b) => a - b));
      });

      it('of a second list when the first is full', async () => {
        const entries = await allocate(40, small(8));
        expect(new Set(entries.map(text)).size).to.equal(40);
        expect(await lists.ids()).to.have.members([...new Set(entries.map(({ list }) => list))]);
        expect((await lists.ids()).length).to.be.within(5, 8);
        expect((await lists.ids())[0], 'the newest comes first').to.equal(entries.at(-1)?.list);
      });

      it('of one list only, though the clock is put back', async () => {
        await allocate(30, small(8));
        clock.advance(-DAY);
        const before = (await lists.ids()).length;
        await allocate(16, small(8));
        expect((await lists.ids()).length).to.be.at.most(before + 4);
      });

      it('of one new list when many find the last one full at once', async () => {
        const [entry] = await allocate(1, small(64));
        const list_id = entry?.list ?? '';
        const full = Array.from({ length: 64 }, (_, idx) => ({
          list_id,
          idx,
          expires_at: inAnHour(),
          revoked_at: null,
        }));
        await temporary.database.kysely
          .insertInto('status_entries')
          .values(full)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const other = small(64);
        const one = small(64);
        const given = await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            (index % 2 ? one : other).allocate(inAnHour(), ADA),
          ),
        );
        const opened = new Set(given.map(({ list }) => list));
        expect(opened.size).to.equal(1);
        expect(await lists.ids()).to.have.members([list_id, ...opened]);
      });

      it('from several processes at once, none twice', async function () {
        this.timeout(120_000);
        const script = join(import.meta.dirname, '..', 'support', 'allocate.ts');
        const outputs = await Promise.all(
          [1, 2, 3].map(() => run(process.execPath, [script, temporary.url, '256', '150'])),
        );
        const given = outputs.flatMap(({ stdout }) =>
          z.array(z.object({ list: z.string(), index: z.number() })).parse(JSON.parse(stdout)),
        );
        expect(given).to.have.length(450);
        expect(new Set(given.map(text)).size).to.equal(450);
        expect((await lists.ids()).length).to.be.within(2, 3);
      });
    });

    describe('revoke an entry', () => {
      it('and no other, at once, also for another process', async () => {
        const [one, other] = await allocate(2);
        if (!one || !other) throw new Error('nothing was allocated');
        expect(await lists.isRevoked(one)).to.equal(false);
        await lists.revoke(one);
        const elsewhere = sqlStatusLists(temporary.database, clock);
        expect([await elsewhere.isRevoked(one), await elsewhere.isRevoked(other)]).to.deep.equal([
          true,
          false,
        ]);
        expect(await lists.revokedIndices(one.list)).to.deep.equal([one.index]);
      });

      it('and get a new version by that, but not when it was revoked before', async () => {
        const [entry] = await allocate(1);
        if (!entry) throw new Error('nothing was allocated');
        const versions = [await lists.version(entry.list)];
        for (let turn = 0; turn < 2; turn += 1) {
          await lists.revoke(entry);
          versions.push(await lists.version(entry.list));
        }
        expect(versions).to.deep.equal([1, 2, 2]);
      });

      it('and take one that was never given away for revoked', async () => {
        const [entry] = await allocate(1);
        const list = entry?.list ?? '';
        const never = ((entry?.index ?? 0) + 1) % SIZE;
        for (const strange of [
          { list, index: never },
          { list: 'none', index: 0 },
          { list, index: -1 },
        ]) {
          expect(await lists.isRevoked(strange), text(strange)).to.equal(true);
        }
      });
    });
  }),
);
