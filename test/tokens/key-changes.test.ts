import { expect } from 'chai';
import { secretKey } from '#verify';
import { SettingsError, StorageError } from '../../core/errors.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import { importNextKey, reportKeys, rotateKeys } from '../../tokens/key-operations.ts';
import { generatePair } from '../../tokens/key-pair.ts';
import { DAY, HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { failureOf } from '../support/failure.ts';
import { freshSecret, type KeyProcess, openProcess, startProcess } from '../support/keys.ts';

const PERIOD = 21 * MINUTE;
const GONE = 6 * HOUR + MINUTE;

onEngines((engine) =>
  describe(`a change of the settings, with keys in ${engine}`, () => {
    let clock: TestClock;
    let temporary: TemporaryDatabase;
    const [a, b] = [freshSecret(), freshSecret()];
    const [ofA, ofB] = [secretKey(a, 'HS256').kid, secretKey(b, 'HS256').kid];

    const start = (environment: Record<string, string> = {}) =>
      startProcess(temporary.database, clock, environment);
    const refusal = async (environment: Record<string, string>) => {
      const failure = await failureOf(start(environment));
      expect(failure).to.be.instanceOf(SettingsError);
      return failure.message;
    };
    const stages = async ({ keys }: KeyProcess) =>
      Object.fromEntries((await reportKeys(keys.context)).map(({ kid, state }) => [kid, state]));
    const rows = async () => {
      const { keys } = await openProcess(temporary.database, clock);
      return keys.context.store.all();
    };
    const change = (values: { private_key?: string; public_jwk?: string }) =>
      temporary.database.kysely.updateTable('signing_keys').set(values).execute();

    beforeEach(async () => {
      clock = new TestClock();
      temporary = await temporaryDatabase(engine);
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    describe('of JWT_SECRET_KEY', () => {
      it('signs with the new one at once and verifies with the earlier one until its tokens are over', async () => {
        await start({ JWT_SECRET_KEY: a });
        clock.advance(HOUR);
        const after = await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        expect(after.keys.ring.signing().kid).to.equal(ofB);
        clock.advance(GONE - 1);
        expect(await after.keys.ring.find(ofA)).to.include({ kid: ofA });
        clock.advance(1);
        expect(await after.keys.ring.find(ofA)).to.equal(undefined);
        expect(await stages(after)).to.deep.equal({ [ofA]: 'gone', [ofB]: 'signing' });
      });

      it('is refused while tokens of the earlier one are good and it is not in JWT_SECRET_KEY_PREVIOUS', async () => {
        await start({ JWT_SECRET_KEY: a });
        const until = new Date(clock.now() + HOUR + GONE).toISOString();
        clock.advance(HOUR);
        expect(await refusal({ JWT_SECRET_KEY: b }))
          .to.include('JWT_SECRET_KEY_PREVIOUS')
          .and.include(ofA)
          .and.include(until)
          .and.include('coatcheck key rotate --emergency')
          .and.not.include(a);
        expect(await rows()).to.have.length(1);
        await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        clock.advance(GONE - 1);
        await refusal({ JWT_SECRET_KEY: b });
        clock.advance(1);
        await start({ JWT_SECRET_KEY: b });
      });

      it('does not end the tokens of an earlier process that lasted longer than those of now', async () => {
        await start({ JWT_SECRET_KEY: a, JWT_EXPIRES_IN: '23h' });
        const secrets = { JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a };
        const { keys } = await start({ ...secrets, JWT_EXPIRES_IN: '1h' });
        clock.advance(23 * HOUR + MINUTE - 1);
        expect(await keys.ring.find(ofA)).to.include({ kid: ofA });
        clock.advance(1);
        expect(await keys.ring.find(ofA)).to.equal(undefined);
      });

      it('is taken back as often as one likes', async () => {
        const withA = { JWT_SECRET_KEY: a, JWT_SECRET_KEY_PREVIOUS: b };
        const withB = { JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a };
        await start({ JWT_SECRET_KEY: a });
        for (const [environment, kid] of [
          [withB, ofB],
          [withA, ofA],
          [withB, ofB],
        ] as const) {
          clock.advance(HOUR);
          const { keys } = await start(environment);
          expect(keys.ring.signing().kid).to.equal(kid);
          for (const each of [ofA, ofB])
            expect(await keys.ring.find(each)).to.include({ kid: each });
        }
        clock.advance(GONE);
        const last = await start(withB);
        expect(await stages(last)).to.deep.equal({ [ofA]: 'gone', [ofB]: 'signing' });
      });

      it('gives up the earlier one with a warning in development, where .env is easily lost', async () => {
        const development = { NODE_ENV: 'development', SESSION_SECRET: freshSecret() };
        await start({ ...development, JWT_SECRET_KEY: a });
        const after = await start({ ...development, JWT_SECRET_KEY: b });
        expect(after.keys.ring.signing().kid).to.equal(ofB);
        expect(await after.keys.ring.find(ofA)).to.equal(undefined);
        expect(after.logged()).to.include('"level":40').and.include(ofA);
        const back = await start({ ...development, JWT_SECRET_KEY: a });
        expect(back.keys.ring.signing().kid).to.equal(ofA);
      });
    });

    describe('of JWT_ALGORITHM', () => {
      it('from HS256 to HS512 rejects no token of the same secret', async () => {
        await start({ JWT_SECRET_KEY: a });
        clock.advance(HOUR);
        const { keys } = await start({ JWT_SECRET_KEY: a, JWT_ALGORITHM: 'HS512' });
        expect(keys.ring.signing().algorithm).to.equal('HS512');
        expect(await keys.ring.find(ofA)).to.include({ algorithm: 'HS256' });
        expect(keys.ring.algorithms()).to.have.members(['HS256', 'HS512']);
        clock.advance(GONE);
        await keys.maintain();
        expect(keys.ring.algorithms()).to.deep.equal(['HS512']);
      });

      it('from HS256 to ES256 goes on with the secret until the new key has been published for the period', async () => {
        await start({ JWT_SECRET_KEY: a });
        clock.advance(HOUR);
        const { keys } = await start({ JWT_SECRET_KEY: a, JWT_ALGORITHM: 'ES256' });
        expect(keys.ring.publicKeys()).to.have.length(1);
        clock.advance(PERIOD - 1);
        await keys.ring.refresh();
        expect(keys.ring.signing().kid).to.equal(ofA);
        clock.advance(1);
        expect(keys.ring.signing().algorithm).to.equal('ES256');
        expect(await keys.ring.find(ofA)).to.include({ kid: ofA });
      });

      it('from HS256 to ES256 is refused without the secret, with the time until when it has to stay', async () => {
        await start({ JWT_SECRET_KEY: a });
        clock.advance(HOUR);
        const without = { JWT_SECRET_KEY: b, JWT_ALGORITHM: 'ES256' };
        expect(await refusal(without))
          .to.include('JWT_SECRET_KEY must not be removed or changed yet')
          .and.include(new Date(clock.now() + PERIOD).toISOString())
          .and.include(new Date(clock.now() + PERIOD + GONE).toISOString());
        expect(await rows()).to.have.length(1);
        const { keys } = await start({ ...without, JWT_SECRET_KEY_PREVIOUS: a });
        expect(keys.ring.signing().kid).to.equal(ofA);
      });

      it('and back before the new key signed withdraws it', async () => {
        await start({ JWT_SECRET_KEY: a });
        await start({ JWT_SECRET_KEY: a, JWT_ALGORITHM: 'ES256' });
        const back = await start({ JWT_SECRET_KEY: a });
        expect(await stages(back)).to.deep.equal({ [ofA]: 'signing' });
        expect(back.logged()).to.include('is deleted');
      });

      it('and back after it signed goes on with the secret at once', async () => {
        await start({ JWT_SECRET_KEY: a });
        const pair = await start({ JWT_SECRET_KEY: a, JWT_ALGORITHM: 'ES256' });
        clock.advance(PERIOD + HOUR);
        await pair.keys.maintain();
        const { kid } = pair.keys.ring.signing();
        const back = await start({ JWT_SECRET_KEY: a });
        expect(back.keys.ring.signing().kid).to.equal(ofA);
        expect(await back.keys.ring.find(kid)).to.include({ kid });
      });

      it('to another key pair waits for the period, and needs nothing of the one before', async () => {
        const before = await start({ JWT_ALGORITHM: 'ES256' });
        const after = await start({ JWT_ALGORITHM: 'ES384' });
        expect(after.keys.ring.signing().kid).to.equal(before.keys.ring.signing().kid);
        expect(after.keys.ring.algorithms()).to.deep.equal(['ES256', 'ES384']);
        clock.advance(PERIOD);
        await Promise.all([before.keys.maintain(), after.keys.maintain()]);
        for (const { keys } of [before, after]) {
          expect(keys.ring.signing().algorithm).to.equal('ES384');
        }
      });
    });

    it('of KEY_PUBLICATION_PERIOD never moves a key that is published already', async () => {
      await start({ JWT_ALGORITHM: 'ES256' });
      await start({ JWT_ALGORITHM: 'ES384', KEY_PUBLICATION_PERIOD: '24h' });
      const { keys } = await start({ JWT_ALGORITHM: 'ES384', KEY_PUBLICATION_PERIOD: '11m' });
      for (let passed = 0; passed < 24 * HOUR; passed += 10 * MINUTE) {
        expect(keys.ring.signing().algorithm, `${passed}`).to.equal('ES256');
        clock.advance(10 * MINUTE);
        await keys.maintain();
      }
      expect(keys.ring.signing().algorithm).to.equal('ES384');
    });

    describe('of KEY_ENCRYPTION_SECRET', () => {
      const pair = { JWT_ALGORITHM: 'ES256' };

      it('encrypts anew what another than the first has encrypted', async () => {
        const one = await start({ ...pair, KEY_ENCRYPTION_SECRET: a });
        const [before] = await rows();
        const both = await start({ ...pair, KEY_ENCRYPTION_SECRET: `${b},${a}` });
        const [after] = await rows();
        expect(after?.privateKey).not.to.equal(before?.privateKey);
        const last = await start({ ...pair, KEY_ENCRYPTION_SECRET: b });
        for (const { keys } of [one, both, last]) {
          expect(keys.ring.signing().kid).to.equal(before?.kid);
        }
        expect(await rows()).to.deep.equal([after]);
      });

      it('that lacks the earlier one refuses the start, naming the key and what to do', async () => {
        const { keys } = await start({ ...pair, KEY_ENCRYPTION_SECRET: a });
        expect(await refusal({ ...pair, KEY_ENCRYPTION_SECRET: b }))
          .to.include('KEY_ENCRYPTION_SECRET')
          .and.include(keys.ring.signing().kid)
          .and.include('put the earlier one at the end of the list')
          .and.not.include(b);
      });

      it('does not matter to a key that is retired', async () => {
        await start({ ...pair, KEY_ENCRYPTION_SECRET: a });
        const { keys, logged } = await start({
          JWT_SECRET_KEY: b,
          KEY_ENCRYPTION_SECRET: freshSecret(),
        });
        expect(keys.ring.signing().kid).to.equal(ofB);
        expect(keys.ring.publicKeys()).to.have.length(1);
        expect(logged()).to.include('it verifies only');
      });
    });

    describe('nothing of it, but damage in the database,', () => {
      const damages: Record<
        string,
        (row: { privateKey: string | null }) => Parameters<typeof change>[0]
      > = {
        'a private key that was cut off': (row) => ({
          private_key: row.privateKey?.slice(0, -9) ?? '',
        }),
        'a private key with one other character': (row) => ({
          private_key:
            row.privateKey?.replace(/.(?=.{9}$)/, (one) => (one === 'A' ? 'B' : 'A')) ?? '',
        }),
        'no private key': () => ({ private_key: '' }),
        'a public key that is no JSON': () => ({ public_jwk: '{' }),
        'a public key that is not that of its kid': () => ({
          public_jwk: '{"kty":"EC","crv":"P-256"}',
        }),
      };
      for (const [name, damage] of Object.entries(damages)) {
        it(`${name}, refuses the start, naming the key`, async () => {
          const { keys } = await start({ JWT_ALGORITHM: 'ES256' });
          const [row] = await rows();
          if (row === undefined) throw new Error('no key');
          await change(damage(row));
          const failure = await failureOf(start({ JWT_ALGORITHM: 'ES256' }));
          expect(failure).to.be.instanceOf(StorageError);
          expect(failure.message).to.include(keys.ring.signing().kid).and.include('restore');
        });
      }

      it('the private key of another row, refuses the start', async () => {
        await start({ JWT_ALGORITHM: 'ES256' });
        await start({ JWT_ALGORITHM: 'ES384' });
        const [first] = await rows();
        await change({ private_key: first?.privateKey ?? '' });
        expect(await failureOf(start({ JWT_ALGORITHM: 'ES384' }))).to.be.instanceOf(StorageError);
      });
    });

    describe('at once, in an emergency,', () => {
      it('rejects every key but a new one, in every process, and erases the private halves', async () => {
        const environment = { JWT_ALGORITHM: 'ES256' };
        const server = await start(environment);
        await rotateKeys(server.keys.context, false);
        clock.advance(6 * SECOND);
        await server.keys.maintain();
        const before = server.keys.ring.publicKeys().map((jwk) => String(jwk['kid']));
        const command = await openProcess(temporary.database, clock, environment);
        const plan = await planEmergency(command.keys.context);
        expect(plan.rejected).to.have.members(before);
        const signer = await plan.carryOut();
        clock.advance(6 * SECOND);
        await server.keys.ring.refresh();
        expect(server.keys.ring.signing().kid).to.equal(signer);
        expect(server.keys.ring.publicKeys().map((jwk) => jwk['kid'])).to.deep.equal([signer]);
        for (const kid of before) expect(await server.keys.ring.find(kid)).to.equal(undefined);
        const stored = await rows();
        expect(stored.map(({ privateKey }) => privateKey !== null)).to.deep.equal([
          false,
          false,
          true,
        ]);
        clock.advance(100 * HOUR);
        await server.keys.maintain();
        expect(server.keys.ring.signing().kid).to.equal(signer);
      });

      it('does not need to decrypt what it rejects', async () => {
        await start({ JWT_ALGORITHM: 'ES256', KEY_ENCRYPTION_SECRET: a });
        const other = { JWT_ALGORITHM: 'ES256', KEY_ENCRYPTION_SECRET: b };
        const { keys } = await openProcess(temporary.database, clock, other);
        const signer = await (await planEmergency(keys.context)).carryOut();
        expect((await start(other)).keys.ring.signing().kid).to.equal(signer);
      });

      it('rejects an earlier secret, and does not take it again from any list', async () => {
        await start({ JWT_SECRET_KEY: a });
        const { keys } = await openProcess(temporary.database, clock, { JWT_SECRET_KEY: b });
        const plan = await planEmergency(keys.context);
        expect(plan.rejected).to.deep.equal([ofA]);
        expect(await plan.carryOut()).to.equal(ofB);
        const after = await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        for (const algorithm of ['HS256', 'HS384', 'HS512']) {
          expect(await after.keys.ring.find(secretKey(a, algorithm).kid)).to.equal(undefined);
        }
        for (const algorithm of ['HS256', 'HS512']) {
          const back = { JWT_SECRET_KEY: a, JWT_SECRET_KEY_PREVIOUS: b, JWT_ALGORITHM: algorithm };
          expect(await refusal(back)).to.include('has been rejected');
        }
      });

      it('refuses to reject JWT_SECRET_KEY itself, and says what to do first', async () => {
        const { keys } = await start({ JWT_SECRET_KEY: a });
        const failure = await failureOf(planEmergency(keys.context));
        expect(failure.message).to.include('put another secret there first');
      });

      it('does nothing when the keys have changed since it was planned', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256' });
        const plan = await planEmergency(keys.context);
        await rotateKeys(keys.context, false);
        const failure = await failureOf(plan.carryOut());
        expect(failure.message).to.include('try again');
        expect((await rows()).map(({ goneAt }) => goneAt)).to.deep.equal([null, null]);
      });

      it('does nothing when another secret has come to sign since it was planned', async () => {
        await start({ JWT_SECRET_KEY: a });
        const { keys } = await start({ JWT_SECRET_KEY: b, JWT_SECRET_KEY_PREVIOUS: a });
        const plan = await planEmergency(keys.context);
        const c = freshSecret();
        await start({ JWT_SECRET_KEY: c, JWT_SECRET_KEY_PREVIOUS: `${a},${b}` });
        const failure = await failureOf(plan.carryOut());
        expect(failure.message).to.include('try again');
        expect((await rows()).map(({ goneAt }) => goneAt)).to.deep.equal([null, null, null]);
      });

      it('rejects for good, also by a clock that was ahead and is put right', async () => {
        const { keys } = await start({ JWT_ALGORITHM: 'ES256' });
        const { kid } = keys.ring.signing();
        clock.advance(365 * DAY);
        await keys.ring.refresh();
        const signer = await (await planEmergency(keys.context)).carryOut();
        clock.advance(-365 * DAY);
        await keys.ring.refresh();
        expect(keys.ring.signing().kid).to.equal(signer);
        expect(await keys.ring.find(kid)).to.equal(undefined);
        expect((await reportKeys(keys.context))[0]?.state).to.equal('gone');
      });

      it('lets nobody bring a rejected key back', async () => {
        const environment = { JWT_ALGORITHM: 'ES256' };
        const { keys } = await start(environment);
        clock.advance(HOUR);
        const pem = (await generatePair('ES256')).privateKey.export({
          format: 'pem',
          type: 'pkcs8',
        });
        await importNextKey(keys.context, String(pem), undefined);
        await (await planEmergency(keys.context)).carryOut();
        const failure = await failureOf(importNextKey(keys.context, String(pem), undefined));
        expect(failure.message).to.include('known already').and.include('gone');
      });
    });
  }),
);
