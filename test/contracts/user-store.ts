import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Transaction } from 'kysely';
import { Problem } from '../../core/errors.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import type { NewUser, UserStore } from '../../users/user-store.ts';
import type { TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';

/** An engine under test, empty. */
export interface UserEngine extends AsyncDisposable {
  readonly users: UserStore;
  /** A second store on the same users, as another process has it. */
  readonly otherProcess: UserStore;
  readonly clock: TestClock;
  /** Where they are, for what is done with them in one transaction. */
  readonly database: Database;
}

/** What every user store promises, whatever its engine. */
export function userStoreContract(name: string, open: () => Promise<UserEngine>): void {
  describe(`users in ${name}`, () => {
    let engine: UserEngine;
    let users: UserStore;
    beforeEach(async () => {
      engine = await open();
      ({ users } = engine);
    });
    afterEach(() => engine[Symbol.asyncDispose]());

    /** The problem that adding such a user is refused with. */
    async function refusal(newUser: NewUser): Promise<Problem> {
      const error = await failureOf(users.add(newUser));
      if (error instanceof Problem) return error;
      throw error;
    }

    describe('that are added', () => {
      it('are found with all that they were given', async () => {
        const ada = await users.add({
          username: 'Ada',
          name: 'Ada Lovelace',
          email: 'Ada@Example.org',
          roles: ['admin', 'author'],
          passwordHash: '$hash',
        });
        expect(ada).to.deep.equal({
          id: ada.id,
          username: 'Ada',
          name: 'Ada Lovelace',
          email: 'Ada@Example.org',
          roles: ['admin', 'author'],
          disabled: false,
          hasPassword: true,
          createdAt: engine.clock.now(),
        });
        for (const store of [users, engine.otherProcess]) {
          expect(await store.findById(ada.id)).to.deep.equal(ada);
          expect(await store.findActive(ada.id)).to.deep.equal(ada);
          expect(await store.findByUsername('Ada')).to.deep.equal(ada);
          expect(await store.findLogin('Ada')).to.deep.equal({
            user: ada,
            passwordHash: '$hash',
            signOuts: 0,
          });
          expect(await store.passwordHash(ada.id)).to.equal('$hash');
          expect(await store.list()).to.deep.equal([ada]);
        }
      });

      it('need nothing but a username', async () => {
        const ada = await users.add({ username: 'ada' });
        expect(ada).to.deep.include({ name: null, email: null, roles: [], hasPassword: false });
        expect(await users.passwordHash(ada.id)).to.be.null;
        expect(await users.findLogin('ada')).to.deep.equal({
          user: ada,
          passwordHash: null,
          signOuts: 0,
        });
      });

      it('never show their password hash', async () => {
        const ada = await users.add({ username: 'ada', passwordHash: '$secret-hash' });
        const shown = [
          ada,
          await users.findById(ada.id),
          await users.findActive(ada.id),
          await users.list(),
        ];
        expect(JSON.stringify(shown)).not.to.include('$secret-hash');
      });

      it('get an id that nobody had before them', async () => {
        const first = await users.add({ username: 'ada' });
        await users.remove(first.id);
        const second = await users.add({ username: 'ada' });
        expect(second.id).not.to.equal(first.id);
        expect(await users.findById(first.id)).to.be.undefined;
      });

      it('are listed by username, whatever its case', async () => {
        for (const username of ['grace', 'Barbara', 'ada', 'Edsger']) await users.add({ username });
        const names = (await users.list()).map(({ username }) => username);
        expect(names).to.deep.equal(['ada', 'Barbara', 'Edsger', 'grace']);
      });
    });

    describe('that nobody added', () => {
      it('are not found, not changed and not removed', async () => {
        await users.add({ username: 'ada', email: 'ada@example.org' });
        for (const id of ['', 'ada', 'unknown', '%', "' OR '1'='1"]) {
          expect(await users.findById(id)).to.be.undefined;
          expect(await users.findActive(id)).to.be.undefined;
          expect(await users.passwordHash(id)).to.be.null;
          expect(await users.setPassword(id, '$hash')).to.be.false;
          expect(await users.replacePassword(id, '', '$hash')).to.be.false;
          expect(await users.setRoles(id, ['admin'])).to.be.false;
          expect(await users.setDisabled(id, true)).to.be.false;
          expect(await users.remove(id)).to.be.false;
        }
        for (const login of [
          '',
          'ad',
          'adaa',
          'a%',
          '_da',
          "ada' --",
          'ada@',
          '@example.org',
          'ada\u0000',
        ]) {
          expect(await users.findByUsername(login), login).to.be.undefined;
          expect(await users.findLogin(login), login).to.be.undefined;
        }
      });
    });

    describe('of one name', () => {
      const spellings = ['Ada', 'ADA', 'ada', 'aDa', 'ａｄａ', 'ＡＤＡ', '𝒜𝒹𝒶'];

      it('are one user, however it is spelt', async () => {
        const ada = await users.add({ username: 'Ada' });
        for (const username of spellings) {
          expect(await users.findByUsername(username), username).to.deep.equal(ada);
          expect(await refusal({ username }), username).to.include({
            code: 'username_taken',
            status: 409,
            field: 'username',
          });
        }
        expect(await users.list()).to.have.length(1);
      });

      it('are shown as they were typed', async () => {
        for (const username of ['AdA', 'Ｇｒａｃｅ', 'Zoë', 'Straße']) {
          const user = await users.add({ username });
          expect((await users.findById(user.id))?.username).to.equal(username);
        }
      });

      it('are one user whether accents are composed or not', async () => {
        const zoe = await users.add({ username: 'zoe\u0308' });
        expect(zoe.username).to.equal('zoë');
        expect(await users.findByUsername('ZOË')).to.deep.equal(zoe);
        expect((await refusal({ username: 'zoë' })).code).to.equal('username_taken');
      });

      it('cannot be won by two who sign up at once', async () => {
        const stores = [users, engine.otherProcess];
        const attempts = Array.from({ length: 20 }, (_, index) => {
          const username = spellings[index % spellings.length] ?? 'ada';
          return (stores[index % 2] ?? users).add({ username });
        });
        const outcomes = await Promise.allSettled(attempts);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected')
            expect(outcome.reason).to.include({ code: 'username_taken' });
        }
        expect(await users.list()).to.have.length(1);
      });
    });

    describe('of one e-mail address', () => {
      it('are one user, however it is spelt', async () => {
        const ada = await users.add({ username: 'ada', email: 'Ada@Example.org' });
        for (const email of [
          'ada@example.org',
          'ADA@EXAMPLE.ORG',
          'ａｄａ@example.org',
          'ada＠example.org',
        ]) {
          expect((await users.findLogin(email))?.user, email).to.deep.equal(ada);
        }
        expect(await refusal({ username: 'grace', email: 'ADA@example.ORG' })).to.include({
          code: 'email_taken',
          status: 409,
          field: 'email',
        });
      });

      it('cannot be won by two who sign up at once', async () => {
        const attempts = Array.from({ length: 20 }, (_, index) =>
          users.add({ username: `user${index}`, email: index % 2 === 0 ? 'A@b.c' : 'a@B.C' }),
        );
        const outcomes = await Promise.allSettled(attempts);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        expect(await users.list()).to.have.length(1);
      });

      it('can be many, when they have none', async () => {
        await users.add({ username: 'ada' });
        await users.add({ username: 'grace' });
        expect(await users.list()).to.have.length(2);
      });

      it('are not found by it as a username, nor by their username as an address', async () => {
        await users.add({ username: 'ada', email: 'grace@example.org' });
        expect(await users.findByUsername('grace@example.org')).to.be.undefined;
        expect(await users.findLogin('ada@example.org')).to.be.undefined;
      });
    });

    describe('with a name that cannot be one', () => {
      const hostile = {
        empty: '',
        blank: ' ',
        'with a blank in it': 'ada lovelace',
        'with blanks around it': ' ada ',
        'too long': 'a'.repeat(65),
        'that becomes too long when it is folded': 'ﷺ'.repeat(10),
        'with an @': 'ada@example.org',
        'with a full-width @': 'ada＠example.org',
        'with a NUL': 'ada\u0000',
        'with a line break': 'ada\nroot',
        'with a terminal sequence': 'ada\u001B[31m',
        'with a delete character': 'ada\u007F',
        'with a zero-width space': 'ad\u200Ba',
        'with a zero-width joiner': 'ad\u200Da',
        'with a soft hyphen': 'ad\u00ADa',
        'with a byte order mark': '\uFEFFada',
        'with a right-to-left override': 'ada\u202Egnp',
        'with a right-to-left mark': 'ada\u200F',
        'with an isolate': '\u2066ada\u2069',
        'with an invisible letter': 'ada\u3164',
        'with a half-width invisible letter': 'ada\uFFA0',
        'with an invisible vowel': 'ada\u115F\u1160',
        'with a variation selector': 'ada\uFE0F',
        'with a grapheme joiner': 'ad\u034Fa',
        'with half a character': 'ada\uD800',
        'that begins with a dash': '-ada',
        'that begins with a dot': '.ada',
        'that begins with a combining mark': '\u0301ada',
        'with SQL': "ada'; DROP TABLE users; --",
        'with HTML': '<b>ada</b>',
        'with a path': '../ada',
        'with an emoji': '🦄',
      };

      for (const [kind, username] of Object.entries(hostile)) {
        it(`are refused: ${kind}`, async () => {
          expect(await refusal({ username })).to.include({
            code: 'invalid_request',
            field: 'username',
          });
          expect(await users.list()).to.deep.equal([]);
        });
      }

      it('are refused without a word of what was sent, so that nothing hostile is echoed', async () => {
        expect((await refusal({ username: 'ada\u001B[31m' })).detail).not.to.include('\u001B');
      });

      it('are refused for a bad e-mail address', async () => {
        const bad = [
          '',
          'ada',
          '@',
          'ada@',
          '@example.org',
          'a@b@c',
          'a b@example.org',
          'ada@example.org\n',
          'ada@exa\u0000mple.org',
          'ada\u202E@example.org',
          'ad\u200Ba@example.org',
          'ada\uD800@example.org',
          `${'a'.repeat(65)}@example.org`,
          `a@${'b'.repeat(253)}`,
        ];
        for (const email of bad) {
          expect(await refusal({ username: 'ada', email }), email).to.include({
            code: 'invalid_request',
            field: 'email',
          });
        }
        expect(await users.list()).to.deep.equal([]);
      });

      it('are refused for a bad name for display', async () => {
        for (const display of [
          '',
          ' ',
          ' Ada',
          'Ada ',
          'A\nB',
          'A\u0000',
          'A\u202EB',
          'A\uDC00',
          'A\u2028B',
          'x'.repeat(129),
        ]) {
          expect(await refusal({ username: 'ada', name: display })).to.include({
            code: 'invalid_request',
            field: 'name',
          });
        }
      });
    });

    describe('with an unusual name', () => {
      it('are kept as they are', async () => {
        const names = [
          '李雷',
          'Владимир',
          'محمد',
          'नेहा',
          "O'Brien",
          'x',
          '7',
          'a.b-c_d',
          'İstanbul',
          'constructor',
          '__proto__'.slice(2),
          'null',
          'a'.repeat(64),
        ];
        for (const username of names) {
          const user = await users.add({
            username,
            name: `${username} <b>"'`,
            email: `${username.slice(0, 20)}+x@example.org`,
          });
          expect(await users.findLogin(username)).to.deep.equal({
            user,
            passwordHash: null,
            signOuts: 0,
          });
          await nextTurn(); // in which reads look at the database anew
          expect(await engine.otherProcess.findById(user.id)).to.deep.equal(user);
        }
        expect(await users.list()).to.have.length(names.length);
      });

      it('are refused, or found again exactly, for any text whatsoever', async () => {
        const text = fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: 'grapheme' }),
          fc.string({ unit: 'binary-ascii' }),
        );
        await fc.assert(
          fc.asyncProperty(text, text, text, async (username, displayName, email) => {
            const more = { name: displayName, email: `${email}@example.org` };
            const user = await users.add({ username, ...more }).catch((error: unknown) => error);
            if (user instanceof Problem) return;
            const found = await users.findByUsername(username);
            expect(found).to.deep.equal(user);
            expect(found).to.deep.include({
              username: username.normalize('NFC'),
              name: displayName.normalize('NFC'),
            });
            await users.remove(found?.id ?? '');
          }),
          { numRuns: 300 },
        );
      });
    });

    describe('with roles', () => {
      it('have each role once, in the order given', async () => {
        const ada = await users.add({ username: 'ada', roles: ['b', 'a', 'b', 'a'] });
        expect(ada.roles).to.deep.equal(['b', 'a']);
        expect(await users.setRoles(ada.id, ['x', 'x', 'y'])).to.be.true;
        expect((await users.findById(ada.id))?.roles).to.deep.equal(['x', 'y']);
        expect(await users.setRoles(ada.id, [])).to.be.true;
        expect((await users.findById(ada.id))?.roles).to.deep.equal([]);
      });

      it('may have names of namespaces, but none that would break a list of roles', async () => {
        const ada = await users.add({
          username: 'ada',
          roles: ['billing:read', 'org/admin', 'v1.2_x-y', 'Größe'],
        });
        for (const role of [
          '',
          ' ',
          'a,b',
          'a b',
          ' a',
          'a\n',
          '\u0000',
          ':a',
          'x'.repeat(65),
          '"',
          'a\u202E',
          '\uD800',
        ]) {
          const error = await failureOf(users.setRoles(ada.id, ['fine', role]));
          expect(error, role).to.include({ code: 'invalid_request', field: 'roles' });
          expect(await refusal({ username: 'grace', roles: [role] })).to.include({
            field: 'roles',
          });
        }
        expect((await users.findById(ada.id))?.roles).to.deep.equal(ada.roles);
      });

      it('have as many as fit into every token', async () => {
        const roles = Array.from({ length: 257 }, (_, index) => `role${100 + index}`);
        const fitting = Array.from({ length: 256 }, (_, index) => `role${100 + index}`);
        const ada = await users.add({ username: 'ada', roles: fitting });
        expect(ada.roles.join(',')).to.have.length(2047);
        expect((await refusal({ username: 'grace', roles })).code).to.equal('invalid_request');
        expect(await failureOf(users.setRoles(ada.id, roles))).to.include({
          code: 'invalid_request',
        });
      });
    });

    describe('that change their e-mail address', () => {
      it('are found by the new one, in any spelling, and not by the old one', async () => {
        const { id } = await users.add({ username: 'ada', email: 'ada@example.org' });
        expect(await users.setEmail(id, 'Countess@Example.org')).to.be.true;
        expect(await engine.otherProcess.findById(id)).to.include({
          email: 'Countess@Example.org',
        });
        expect((await users.findLogin('countess@example.org'))?.user.id).to.equal(id);
        expect(await users.findLogin('ada@example.org')).to.equal(undefined);
      });

      it('may spell theirs in another way, have none, and leave it to somebody else', async () => {
        const { id } = await users.add({ username: 'ada', email: 'ada@example.org' });
        const grace = await users.add({ username: 'grace' });
        const [joan, kay] = [
          await users.add({ username: 'joan' }),
          await users.add({ username: 'kay' }),
        ];
        expect(await users.setEmail(id, 'ADA@example.org')).to.be.true;
        expect(await users.setEmail(id, null)).to.be.true;
        expect((await users.findById(id))?.email).to.equal(null);
        expect(await users.setEmail(grace.id, 'ada@example.org')).to.be.true;
        for (const one of [joan, kay]) expect(await users.setEmail(one.id, null)).to.be.true;
      });

      it('cannot have one that is none or somebody else’s, and keep theirs', async () => {
        const { id } = await users.add({ username: 'ada', email: 'ada@example.org' });
        await users.add({ username: 'grace', email: 'grace@example.org' });
        for (const [wanted, code] of [
          ['GRACE@example.org', 'email_taken'],
          ['grace', 'invalid_request'],
          ['', 'invalid_request'],
          ['a@b\u0000', 'invalid_request'],
        ] as const) {
          const error = await failureOf(users.setEmail(id, wanted));
          expect(error, wanted).to.include({ code, field: 'email' });
          const inside = engine.database.transaction((db) => users.setEmail(id, wanted, db));
          expect(await failureOf(inside), wanted).to.include({ code });
        }
        expect((await users.findById(id))?.email).to.equal('ada@example.org');
        expect(await users.setEmail('nobody', 'new@example.org')).to.be.false;
      });

      it('get it once, of many who want the same at once', async () => {
        const names = Array.from({ length: 8 }, (_, index) => `user-${index}`);
        const added = await Promise.all(names.map((username) => users.add({ username })));
        const outcomes = await Promise.allSettled(
          added.map(({ id }, index) =>
            ([users, engine.otherProcess][index % 2] ?? users).setEmail(id, 'one@example.org'),
          ),
        );
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected')
            expect(outcome.reason).to.include({ code: 'email_taken' });
      });
    });

    describe('that are disabled', () => {
      it('are found but not as active ones, until they are enabled', async () => {
        const { id } = await users.add({
          username: 'ada',
          email: 'a@b.c',
          passwordHash: '$hash',
          roles: ['admin'],
        });
        expect(await users.setDisabled(id, true)).to.be.true;
        for (const store of [users, engine.otherProcess]) {
          expect(await store.findActive(id)).to.be.undefined;
          expect(await store.findById(id)).to.include({ disabled: true });
          expect((await store.findLogin('ada'))?.user).to.include({ disabled: true });
        }
        expect(await users.setDisabled(id, false)).to.be.true;
        expect(await engine.otherProcess.findActive(id)).to.deep.include({
          disabled: false,
          roles: ['admin'],
        });
      });

      it('keep their name from others', async () => {
        const { id } = await users.add({ username: 'ada' });
        await users.setDisabled(id, true);
        expect((await refusal({ username: 'ADA' })).code).to.equal('username_taken');
      });
    });

    describe('that are removed', () => {
      it('are gone for every process, and their names are free', async () => {
        const { id } = await users.add({ username: 'ada', email: 'a@b.c' });
        expect(await users.remove(id)).to.be.true;
        expect(await users.remove(id)).to.be.false;
        expect(await engine.otherProcess.findActive(id)).to.be.undefined;
        expect(await engine.otherProcess.findLogin('a@b.c')).to.be.undefined;
        await users.add({ username: 'ada', email: 'a@b.c' });
      });
    });

    describe('that change their password', () => {
      it('have the new one', async () => {
        const { id } = await users.add({ username: 'ada' });
        expect(await users.setPassword(id, '$new')).to.be.true;
        expect(await engine.otherProcess.passwordHash(id)).to.equal('$new');
        expect(await users.findById(id)).to.include({ hasPassword: true });
      });

      it('replace only the one that they knew', async () => {
        const { id } = await users.add({ username: 'ada', passwordHash: '$old' });
        expect(await users.replacePassword(id, '$other', '$new')).to.be.false;
        expect(await users.passwordHash(id)).to.equal('$old');
        expect(await users.replacePassword(id, '$old', '$new')).to.be.true;
        expect(await users.replacePassword(id, '$old', '$newer')).to.be.false;
        expect(await users.passwordHash(id)).to.equal('$new');
      });

      it('cannot do it twice at once', async () => {
        const { id } = await users.add({ username: 'ada', passwordHash: '$old' });
        const stores = [users, engine.otherProcess];
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            (stores[index % 2] ?? users).replacePassword(id, '$old', `$new-${index}`),
          ),
        );
        const winner = outcomes.indexOf(true);
        expect(outcomes.filter(Boolean)).to.have.length(1);
        expect(await users.passwordHash(id)).to.equal(`$new-${winner}`);
      });

      it('without having one cannot replace it', async () => {
        const { id } = await users.add({ username: 'ada' });
        expect(await users.replacePassword(id, '', '$new')).to.be.false;
        expect(await users.replacePassword(id, 'null', '$new')).to.be.false;
      });
    });

    describe('that a transaction holds', () => {
      const hold = (id: string, passwordHash?: string) =>
        engine.database.transaction((db) =>
          users.holdActive(id, db, passwordHash === undefined ? {} : { passwordHash }),
        );
      /** Time enough for somebody else, were they not kept waiting. */
      async function linger(db: Transaction<Schema>): Promise<void> {
        for (let look = 0; look < 20; look += 1)
          await db.selectFrom('users').select('id').execute();
      }

      it('are there, not disabled, and have the password hash that is asked for', async () => {
        const { id } = await users.add({ username: 'ada', passwordHash: '$old' });
        expect([await hold(id), await hold(id, '$old'), await hold(id, '$new')]).to.deep.equal([
          true,
          true,
          false,
        ]);
        await users.setDisabled(id, true);
        expect([await hold(id), await hold(id, '$old')]).to.deep.equal([false, false]);
        expect(await hold('nobody')).to.equal(false);
      });

      it('have their roles, also who is disabled, and nobody has none', async () => {
        const { id } = await users.add({ username: 'ada', roles: ['a', 'b'] });
        const roles = (of: string) => engine.database.transaction((db) => users.holdRoles(of, db));
        expect(await roles(id)).to.deep.equal(['a', 'b']);
        await users.setDisabled(id, true);
        expect(await roles(id)).to.deep.equal(['a', 'b']);
        expect(await roles('nobody')).to.equal(undefined);
      });

      it('are looked at when whoever is changing them is done', async () => {
        const { id } = await users.add({ username: 'ada', passwordHash: '$old' });
        const held: Promise<boolean>[] = [];
        await engine.database.transaction(async (db) => {
          await users.setPassword(id, '$new', db);
          held.push(hold(id, '$old'));
          await linger(db);
        });
        expect(await Promise.all(held)).to.deep.equal([false]);
      });

      it('are changed by nobody else until it is over, and by itself not at all', async () => {
        const ada = await users.add({ username: 'ada', passwordHash: '$old' });
        const order: string[] = [];
        const changing: Promise<unknown>[] = [];
        await engine.database.transaction(async (db) => {
          await users.holdActive(ada.id, db, { passwordHash: '$old' });
          changing.push(users.setDisabled(ada.id, true).then(() => order.push('changed')));
          await linger(db);
          order.push('held');
          expect(await users.findById(ada.id)).to.deep.equal(ada);
        });
        await Promise.all(changing);
        expect(order).to.deep.equal(['held', 'changed']);
      });
    });
  });
}
