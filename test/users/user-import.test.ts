import { expect } from 'chai';
import { importUsers } from '../../users/user-import.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import type { NewUser, UserStore } from '../../users/user-store.ts';
import { TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';

const NOW = 1_790_000_000_000;

onEngines((engine) => {
  describe(`users that are imported into ${engine}`, function () {
    this.timeout(120_000);
    let temporary: TemporaryDatabase;
    let users: UserStore;
    beforeEach(async () => {
      temporary = await temporaryDatabase(engine);
      users = sqlUserStore(temporary.database, new TestClock());
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    async function outcomes(all: NewUser[], { dryRun = false, by = temporary.database } = {}) {
      return all.map(await importUsers(by, all, { now: NOW, dryRun }));
    }
    const some = (count: number, prefix = 'user') =>
      Array.from({ length: count }, (_, index) => ({ username: `${prefix}${index}` }));

    it('are there with all that they were given', async () => {
      const given = {
        username: 'Ada',
        email: 'Ada@Example.org',
        name: 'Ada L.',
        roles: ['a', 'b'],
        passwordHash: '$hash',
        disabled: true,
        createdAt: 7,
      };
      expect(await outcomes([given, { username: 'grace' }])).to.deep.equal([
        'imported',
        'imported',
      ]);
      const found = await users.findLogin('ADA@example.org');
      const { passwordHash, ...rest } = given;
      expect(found).to.deep.equal({
        user: { id: found?.user.id, hasPassword: true, ...rest },
        passwordHash,
        signOuts: 0,
      });
      expect((await users.findByUsername('GRACE'))?.createdAt).to.equal(NOW);
    });

    it('leave who is there as they are, and tell them from others of that name or address', async () => {
      await users.add({ username: 'ada', passwordHash: '$own', roles: ['own'] });
      await users.add({ username: 'grace', email: 'grace@example.org', passwordHash: '$own' });
      const before = await users.list();
      const given = [
        { username: 'ADA', passwordHash: '$other', roles: ['admin'] },
        { username: 'Grace', email: 'GRACE@example.org', disabled: true },
      ];
      expect(await outcomes(given)).to.deep.equal(['exists', 'exists']);
      const others = [
        { username: 'ada', email: 'ada@example.org' },
        { username: 'grace' },
        { username: 'grace', email: 'other@example.org' },
        { username: 'zoe', email: 'grace@example.org' },
      ];
      const another = {
        refused: 'There is a user of that name with another e-mail address, or none.',
      };
      const taken = { refused: 'Another user has that e-mail address.' };
      for (const [index, other] of others.entries()) {
        for (const dryRun of [true, false]) {
          expect(await outcomes([other], { dryRun })).to.deep.equal([
            index === 3 ? taken : another,
          ]);
        }
      }
      expect(await users.list()).to.deep.equal(before);
      expect((await users.findLogin('ada'))?.passwordHash).to.equal('$own');
    });

    it('are not added when that is only tried', async () => {
      expect(await outcomes(some(3), { dryRun: true })).to.deep.equal(Array(3).fill('imported'));
      expect(await users.list()).to.deep.equal([]);
    });
  });
});

/** In SQLite two connections of one process would wait for each other, in its only thread: that is tried with processes. */
onEngines(
  (engine) => {
    it(`users that two import into ${engine} at once are there once, whatever their order`, async () => {
      await using temporary = await temporaryDatabase(engine);
      const other = await temporary.another();
      const users = Array.from({ length: 250 }, (_, index) => ({ username: `user${index}` }));
      const both = await Promise.all([
        importUsers(temporary.database, users, { now: NOW, dryRun: false }),
        importUsers(other, users.toReversed(), { now: NOW, dryRun: false }),
      ]);
      const outcomes = both.flatMap((outcomeOf) => users.map(outcomeOf));
      expect(outcomes.filter((one) => one === 'imported')).to.have.length(250);
      expect(outcomes.filter((one) => one === 'exists')).to.have.length(250);
    }).timeout(120_000);
  },
  ['PostgreSQL'],
);
