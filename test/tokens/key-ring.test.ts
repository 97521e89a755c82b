import { createHash, createHmac } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { secretKey, UnavailableError } from '#verify';
import { StorageError } from '../../core/errors.ts';
import { HMAC_ALGORITHMS } from '../../tokens/algorithms.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import { DAY, HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { freshSecret, type KeyProcess, openProcess, startProcess } from '../support/keys.ts';

const PERIOD = 21 * MINUTE;
const GONE = 6 * HOUR + MINUTE;

function signs({ keys }: KeyProcess): boolean {
  try {
    return keys.ring.signing() !== undefined;
  } catch {
    return false;
  }
}

onEngines((engine) =>
  describe(`the ring of keys in ${engine}`, () => {
    let clock: TestClock;
    let temporary: TemporaryDatabase;
    const start = (environment: Record<string, string> = {}) =>
      startProcess(temporary.database, clock, environment);
    const open = (environment: Record<string, string> = {}) =>
      openProcess(temporary.database, clock, environment);

    beforeEach(async () => {
      clock = new TestClock();
      temporary = await temporaryDatabase(engine);
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    describe('of shared secrets', () => {
      it('signs with JWT_SECRET_KEY and verifies with the earlier ones, without a row of theirs', async () => {
        const [now, before] = [freshSecret(), freshSecret()];
        const { keys } = await start({ JWT_SECRET_KEY: now, JWT_SECRET_KEY_PREVIOUS: before });
        const { kid } = secretKey(now, 'HS256');
        expect(keys.ring.signing()).to.include({ kid, algorithm: 'HS256' });
        expect(await keys.ring.find(kid)).to.equal(keys.ring.signing());
        for (const algorithm of HMAC_ALGORITHMS) {
          const earlier = secretKey(before, algorithm);
          const found = await keys.ring.find(earlier.kid);
          expect(found?.algorithm).to.equal(algorithm);
          expect(found?.key.export().toString()).to.equal(before);
        }
        expect(keys.ring.publicKeys()).to.deep.equal([]);
      });

      it('security 1: holds them as secret keys that were made once, not as texts', async () => {
        const { keys } = await start({ JWT_SECRET_KEY: freshSecret() });
        const { key } = keys.ring.signing();
        expect([key.type, key.symmetricKeySize]).to.deep.equal(['secret', 128]);
        clock.advance(MINUTE);
        await keys.ring.refresh();
        expect(keys.ring.signing().key).to.equal(key);
      });

      it('gives names that tell nothing of the secret, another for every secret and algorithm', () => {
        fc.assert(
          fc.property(fc.string({ minLength: 32 }), (text) => {
            const kids = HMAC_ALGORITHMS.map((algorithm) => secretKey(text, algorithm).kid);
            expect(new Set(kids).size).to.equal(kids.length);
            for (const kid of kids) {
              expect(kid).to.match(/^[\w-]{16}$/);
              for (const digest of ['sha1', 'sha256', 'sha512', 'md5']) {
                expect(createHash(digest).update(text).digest('base64url')).not.to.include(kid);
              }
              expect(createHmac('sha256', text).update('').digest('base64url')).not.to.include(kid);
            }
          }),
        );
      });
    });

    describe('of key pairs', () => {
      for (const [algorithm, members] of [
        ['ES256', ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']],
        ['ES384', ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']],
        ['RS256', ['alg', 'e', 'kid', 'kty', 'n', 'use']],
        ['PS256', ['alg', 'e', 'kid', 'kty', 'n', 'use']],
      ] as const) {
        it(`publishes the public members of an ${algorithm} key, and no others`, async () => {
          const { keys } = await start({ JWT_ALGORITHM: algorithm });
          const [jwk, ...others] = keys.ring.publicKeys();
          expect(others).to.deep.equal([]);
          expect(Object.keys(jwk ?? {}).toSorted()).to.deep.equal(members);
          expect(jwk).to.include({ alg: algorithm, use: 'sig', kid: keys.ring.signing().kid });
          expect(keys.ring.signing().key.type).to.equal('private');
          const found = await keys.ring.find(keys.ring.signing().kid);
          expect(found).to.include({ algorithm, kid: keys.ring.signing().kid });
          expect(found?.key.type).to.equal('public');
          expect(keys.ring.algorithms()).to.deep.equal([algorithm]);
        }).timeout(120_000);
      }

      it('keeps the same key object for a kid across readings and changes', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' });
        const { kid } = keys.ring.signing();
        const found = await keys.ring.find(kid);
        for (let hour = 0; hour < 30; hour += 1) {
          clock.advance(HOUR);
          await keys.maintain();
          const again = await keys.ring.find(kid);
          if (hour < 29) expect(again, `${hour}`).to.equal(found);
        }
      });

      it('forgets a key by the clock alone, to the millisecond', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' });
        const { kid } = keys.ring.signing();
        clock.advance(DAY - PERIOD);
        await keys.maintain();
        clock.advance(PERIOD + GONE - 1);
        expect(await keys.ring.find(kid)).to.include({ kid });
        clock.advance(1);
        expect(await keys.ring.find(kid)).to.equal(undefined);
        await keys.ring.refresh();
        expect(keys.ring.publicKeys().map((jwk) => jwk['kid'])).not.to.include(kid);
      });

      it('deletes a key a day after it is gone, and not before', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '90d' });
        clock.advance(90 * DAY - PERIOD);
        await keys.maintain();
        clock.advance(PERIOD + GONE + DAY - 1);
        await keys.maintain();
        expect(await keys.context.store.all()).to.have.length(2);
        clock.advance(SECOND * 6);
        await keys.maintain();
        expect(await keys.context.store.all()).to.have.length(1);
      });
    });

    describe('of two processes on one database', () => {
      it('begins with one key, and adds one when the time has come', async () => {
        const environment = { JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' };
        const both = await Promise.all([start(environment), start(environment)]);
        const kids = () => new Set(both.map(({ keys }) => keys.ring.signing().kid));
        const rounds = async () => {
          await Promise.all(both.map(({ keys }) => keys.maintain()));
          clock.advance(6 * SECOND);
          await Promise.all(both.map(({ keys }) => keys.maintain()));
        };
        await rounds();
        expect(kids()).to.have.property('size', 1);
        const [before] = kids();
        clock.advance(DAY - PERIOD);
        await rounds();
        for (const { keys } of both) expect(keys.ring.publicKeys()).to.have.length(2);
        expect([...kids()]).to.deep.equal([before]);
        clock.advance(PERIOD);
        await rounds();
        expect(kids()).to.have.property('size', 1);
        expect([...kids()]).not.to.include(before);
        expect(await both[0].keys.context.store.all()).to.have.length(2);
      });

      it('never takes the newest key back when the other has put one after it at the same moment', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256' });
        const other = await open({ JWT_ALGORITHM: 'ES256' });
        const { store } = keys.context;
        for (let round = 0; round < 20; round += 1) {
          const [first] = await store.all();
          if (first === undefined) throw new Error('there is no key');
          const next = { ...first, publishedAt: clock.now(), signsFrom: clock.now() + DAY };
          expect(await store.add({ ...next, kid: 'second' }, first)).to.equal(true);
          const newest = (await store.all()).at(-1) ?? first;
          const outcomes = await Promise.all([
            store.withdraw(newest, clock.now()),
            other.keys.context.store.add({ ...next, kid: 'third' }, newest),
          ]);
          expect(outcomes.filter(Boolean)).to.have.length(1);
          await store.remove((await store.all()).slice(1));
        }
      });

      it('looks into the database before it calls a key unknown', async () => {
        const one = await start({ JWT_ALGORITHM: 'ES256' });
        const other = await open({ JWT_ALGORITHM: 'ES256' });
        clock.advance(1001);
        const third = await start({ JWT_ALGORITHM: 'ES384' });
        const newest = third.keys.ring.publicKeys().at(-1)?.['kid'];
        expect(await one.keys.ring.find(String(newest))).to.include({ algorithm: 'ES384' });
        expect(await other.keys.ring.find('nobody')).to.equal(undefined);
      });

      it('says that it cannot know where another process has a secret that this one lacks', async () => {
        const [a, b] = [freshSecret(), freshSecret()];
        const one = await start({ JWT_SECRET_KEY: a });
        clock.advance(MINUTE);
        await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        await one.keys.maintain();
        expect(() => one.keys.ring.signing()).to.throw(StorageError, 'cannot be used here');
        expect(() => one.keys.ring.find(secretKey(b, 'HS256').kid)).to.throw(UnavailableError);
        expect(await one.keys.ring.find(secretKey(a, 'HS256').kid)).to.include({
          algorithm: 'HS256',
        });
        expect(one.logged()).to.include('a signing key cannot be used here');
      });

      it('goes over without a pause where both have both secrets first', async () => {
        const [a, b] = [freshSecret(), freshSecret()];
        await start({ JWT_SECRET_KEY: a });
        const one = await start({ JWT_SECRET_KEY: a, JWT_SECRET_KEY_PREVIOUS: b });
        clock.advance(MINUTE);
        const other = await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        await one.keys.maintain();
        for (const { keys } of [one, other]) {
          expect(keys.ring.signing().kid).to.equal(secretKey(b, 'HS256').kid);
        }
      });

      it('keeps a key for the longest token of any process, however short those of the others are', async () => {
        const environment = { JWT_ALGORITHM: 'ES256', SESSION_IDLE_TIMEOUT: '7d' };
        const { keys } = await start({ ...environment, JWT_EXPIRES_IN: '1h' });
        await start({ ...environment, JWT_EXPIRES_IN: '24h' });
        await start({ ...environment, JWT_EXPIRES_IN: '1s' });
        expect((await keys.context.store.all()).map((row) => row.longestToken)).to.deep.equal([
          86_400,
        ]);
      });
    });

    describe('with a row that is damaged', () => {
      for (const [what, damage] of [
        ['algorithm', { algorithm: 'E5256' }],
        ['public half', { public_jwk: '{"kty":' }],
        ['private half', { private_key: 'AAAA' }],
      ] as const) {
        it(`in its ${what} refuses to start, names it, and lets an emergency replace it`, async () => {
          const { keys } = await start({ JWT_ALGORITHM: 'ES256' });
          const { kid } = keys.ring.signing();
          await temporary.database.kysely.updateTable('signing_keys').set(damage).execute();
          const failure = await failureOf(start({ JWT_ALGORITHM: 'ES256' }));
          expect(failure).to.be.instanceOf(StorageError);
          expect(String(failure)).to.include(kid).and.include('rotate --emergency');
          const { keys: opened } = await open({ JWT_ALGORITHM: 'ES256' });
          const emergency = await planEmergency(opened.context);
          expect(emergency.rejected).to.deep.equal([kid]);
          const signer = await emergency.carryOut();
          const mended = await start({ JWT_ALGORITHM: 'ES256' });
          expect(mended.keys.ring.signing().kid).to.equal(signer);
        });
      }
    });

    it('refuses to start without the public half of a retired key, whose tokens are good', async () => {
      const environment = { JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' };
      const { keys } = await start(environment);
      const { kid } = keys.ring.signing();
      clock.advance(DAY - PERIOD);
      await keys.maintain();
      clock.advance(PERIOD);
      const damage = (values: { public_jwk?: string; private_key?: string }) =>
        temporary.database.kysely
          .updateTable('signing_keys')
          .set(values)
          .where('kid', '=', kid)
          .execute();
      await damage({ private_key: 'AAAA' });
      const { keys: others, logged } = await start(environment);
      expect(logged()).to.include('it verifies only');
      expect(await others.ring.find(kid)).to.include({ kid });
      await damage({ public_jwk: '{}' });
      expect(String(await failureOf(start(environment)))).to.include(`${kid} is damaged`);
    });

    describe('that cannot be read', () => {
      it('stays as it is, says so in the log, and refuses to sign when another key may by now', async () => {
        const { keys, logged } = await start({ JWT_ALGORITHM: 'ES256' });
        const { kid } = keys.ring.signing();
        await temporary.database.close();
        clock.advance(6 * SECOND);
        await keys.ring.refresh();
        expect(logged()).to.include('the signing keys cannot be read');
        expect(keys.ring.signing().kid).to.equal(kid);
        expect(await keys.ring.find(kid)).to.include({ kid });
        expect(keys.ring.publicKeys()).to.have.length(1);
        clock.advance(39 * SECOND);
        await keys.ring.refresh();
        expect(keys.ring.signing().kid).to.equal(kid);
        clock.advance(1);
        expect(() => keys.ring.signing()).to.throw(StorageError, 'last read at');
        expect(() => keys.ring.publicKeys()).to.throw(StorageError, 'last read at');
        expect(() => keys.ring.algorithms()).to.throw(StorageError, 'last read at');
        expect(await keys.ring.find(kid)).to.include({ kid });
        const asking = async () => keys.ring.find('stranger');
        const failure = await failureOf(asking());
        expect(failure).to.be.instanceOf(UnavailableError);
      });

      it('signs no token that is refused before its time, whatever is done to the keys meanwhile', async () => {
        const [own, other] = [freshSecret(), freshSecret()];
        const cutOff = await start({ JWT_SECRET_KEY: own });
        const { kid } = cutOff.keys.ring.signing();
        const rest = await start({ JWT_SECRET_KEY: other, JWT_SECRET_KEY_PREVIOUS: own });
        let signedAt = clock.now();
        for (; signs(cutOff); clock.advance(SECOND)) signedAt = clock.now();
        clock.advance(signedAt + 6 * HOUR - clock.now() - 1);
        await rest.keys.maintain();
        expect(await rest.keys.ring.find(kid)).to.include({ kid });
      });

      it('begins to sign with no key that may have been withdrawn', async () => {
        const secret = freshSecret();
        await start({ JWT_SECRET_KEY: secret });
        const cutOff = await start({ JWT_SECRET_KEY: secret, JWT_ALGORITHM: 'ES256' });
        clock.advance(PERIOD - 2 * MINUTE - SECOND);
        await cutOff.keys.ring.refresh();
        await start({ JWT_SECRET_KEY: secret });
        clock.advance(2 * MINUTE + SECOND);
        expect(signs(cutOff)).to.equal(false);
        await cutOff.keys.ring.refresh();
        expect(cutOff.keys.ring.signing().algorithm).to.equal('HS256');
      });

      it('is asked for once at a time, and at most once a second after a failure', async () => {
        const { keys, logged } = await start({ JWT_ALGORITHM: 'ES256' });
        await temporary.database.close();
        clock.advance(6 * SECOND);
        const readings = [keys.ring.refresh(), keys.ring.refresh()];
        expect(readings[0]).to.equal(readings[1]);
        await readings[0];
        expect(keys.ring.refresh()).to.equal(undefined);
        clock.advance(1001);
        await keys.ring.refresh();
        expect(logged().match(/cannot be read/g)).to.have.length(2);
      });
    });

    it('is not read again within five seconds', async () => {
      const { keys } = await start();
      clock.advance(5 * SECOND);
      expect(keys.ring.refresh()).to.equal(undefined);
      clock.advance(1);
      expect(keys.ring.refresh()).to.be.a('promise');
      await keys.ring.refresh();
    });

    it('signs nothing and writes nothing before it is told to', async () => {
      const { keys } = await open({ JWT_ALGORITHM: 'ES256' });
      expect(() => keys.ring.signing()).to.throw(StorageError, 'no key');
      await keys.stop();
      expect(await keys.context.store.all()).to.deep.equal([]);
    });
  }),
);
