import { expect } from 'chai';
import { settleKeys } from '../../tokens/key-changes.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import { exportKey } from '../../tokens/key-export.ts';
import { importNextKey, rotateKeys } from '../../tokens/key-operations.ts';
import { generatePair } from '../../tokens/key-pair.ts';
import { DAY, HOUR, MINUTE, TestClock } from '../support/clock.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { openProcess, startProcess } from '../support/keys.ts';

const ES256 = { JWT_ALGORITHM: 'ES256' };

onEngines((engine) =>
  describe(`what becomes of keys is on record in ${engine}:`, function () {
    this.timeout(120_000);
    let temporary: TemporaryDatabase;
    let clock: TestClock;
    beforeEach(async () => {
      temporary = await temporaryDatabase(engine);
      clock = new TestClock();
    });
    afterEach(() => temporary[Symbol.asyncDispose]());

    async function events(): Promise<[string, string | null][]> {
      const rows = await temporary.database.kysely
        .selectFrom('audit_events')
        .select(['event', 'subject_id'])
        .orderBy('id')
        .execute();
      return rows.map(({ event, subject_id }) => [event, subject_id]);
    }

    it('a life from publication to its end, once for all processes', async () => {
      const one = await startProcess(temporary.database, clock, ES256);
      const other = await startProcess(await temporary.another(), clock, ES256);
      const round = async () => {
        await Promise.all([one.keys.maintain(), other.keys.maintain()]);
        await one.keys.maintain();
      };
      const first = one.keys.context;
      const [kid = ''] = (await first.store.all()).map((row) => row.kid);
      expect(await events()).to.deep.equal([
        ['key.published', kid],
        ['key.signing', kid],
      ]);
      clock.advance(HOUR);
      await round();
      const next = (await rotateKeys(first, false)).next.kid ?? '';
      await round();
      clock.advance(21 * MINUTE);
      await round();
      clock.advance(6 * HOUR + MINUTE);
      await round();
      const restarted = await startProcess(await temporary.another(), clock, ES256);
      await restarted.keys.maintain();
      expect((await events()).slice(2)).to.deep.equal([
        ['key.published', next],
        ['key.retired', kid],
        ['key.signing', next],
        ['key.gone', kid],
      ]);
    });

    it('an import, and an emergency in one row', async () => {
      const { keys } = await startProcess(temporary.database, clock, ES256);
      const pem = (await generatePair('ES256')).privateKey.export({ type: 'pkcs8', format: 'pem' });
      const imported = await importNextKey(keys.context, String(pem), undefined);
      expect((await events()).at(-1)).to.deep.equal(['key.imported', imported.next.kid]);
      const plan = await planEmergency(keys.context);
      const signer = await plan.carryOut();
      const row = await temporary.database.kysely
        .selectFrom('audit_events')
        .selectAll()
        .where('event', '=', 'key.rejected')
        .executeTakeFirstOrThrow();
      expect(JSON.parse(row.details ?? '')).to.deep.equal({ keys: plan.rejected, signer });
      const { pem: secret } = await exportKey(keys.context, signer, true);
      const everything = await temporary.database.kysely
        .selectFrom('audit_events')
        .selectAll()
        .execute();
      for (const line of secret.trim().split('\n')) {
        expect(JSON.stringify(everything)).not.to.include(line);
      }
    });

    it('nothing that was 30 days ago when somebody first looked', async () => {
      clock.advance(-31 * DAY);
      const { keys } = await openProcess(temporary.database, clock, ES256);
      await settleKeys(keys.context);
      clock.advance(31 * DAY);
      await startProcess(temporary.database, clock, ES256);
      expect((await events()).map(([event]) => event)).to.deep.equal(['key.published']);
    });
  }),
);
