import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../storage/database.ts';
import { expiredRows } from '../storage/expired-rows.ts';
import type { Allowance, AttemptStore } from './attempts.ts';

/**
 * Attempts in the SQL database. A row holds one time: when the last of its attempts will be forgotten. Each attempt moves
 * it on by its share of the period, and there is room for one as long as that stays within a period from now.
 */
export function sqlAttempts(database: Database, clock: Clock): AttemptStore {
  const { kysely } = database;
  const take = database.prepareRelaxed(takeStatement.compile(kysely));
  const read = database.prepareFirst(
    kysely.selectFrom('attempts').select('forgotten_at').where('key', '=', '').compile(),
  );
  const giveBack = database.prepareRelaxed(
    sql`update attempts set forgotten_at = forgotten_at - ${0} where key = ${''}`.compile(kysely),
  );
  async function wait(key: string, allowance: Allowance): Promise<number> {
    const { latest, wrong } = bounds(allowance, clock.now());
    const forgottenAt = (await read([key]))?.forgotten_at ?? 0;
    return forgottenAt > wrong ? 0 : Math.max(forgottenAt - latest, 0);
  }
  return {
    wait,
    async take(key, allowance) {
      const now = clock.now();
      const { share, latest, wrong } = bounds(allowance, now);
      const first = now + share;
      const taken = await take([key, first, now, latest, share, first, latest, wrong]);
      if (taken !== undefined) return 0;
      return Math.max(await wait(key, allowance), 1); // somebody may have given one back meanwhile
    },
    async giveBack(key, { limit, period }) {
      await giveBack([period / limit, key]);
    },
    async forget(key) {
      await kysely.deleteFrom('attempts').where('key', '=', key).execute();
    },
  };
}

/** Placeholders: key, first, now, latest, share, first, latest, wrong. */
const takeStatement = sql<{ forgotten_at: number }>`
  insert into attempts (key, forgotten_at) values (${''}, ${0})
  on conflict (key) do update set forgotten_at = case
    when attempts.forgotten_at between ${0} and ${0} then attempts.forgotten_at + ${0} else ${0} end
  where attempts.forgotten_at <= ${0} or attempts.forgotten_at > ${0}
  returning forgotten_at`;

/**
 * @returns the share of the period that each attempt takes; up to which `forgotten_at` there is room for one more; and
 *   beyond which it comes from a clock that was wrong, and counts for nothing. All in milliseconds.
 */
function bounds({ limit, period }: Allowance, now: number) {
  const share = period / limit;
  return { share, latest: now + period - share, wrong: now + 2 * period };
}

/** Attempts that have all been forgotten. */
export const expiredAttempts = expiredRows('expired attempts', {
  table: 'attempts',
  key: 'key',
  end: 'forgotten_at',
});
