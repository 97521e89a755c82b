import { median } from '../../storage/survey.ts';
import { databaseFile } from './files.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import type { Stores } from './stores.ts';
import { POSTGRES_ENDS } from './versions.ts';

/** Milliseconds: a median above the first is slow, above the second every request hangs about. */
const SLOW = 20;
const FAR_TOO_SLOW = 200;

/** What a power cut may take away, by the setting of PostgreSQL and the value that it must not have. */
const RISKS: Readonly<Record<string, string>> = {
  fsync: 'A power cut can leave the whole database damaged.',
  full_page_writes: 'A power cut can leave pages half written, and the database damaged.',
  synchronous_commit:
    'A power cut can take back what was answered as done: a logout, a password change, a revoked token.',
};

/** Whether the database is of a version that gets fixes, and has the tables of this one. */
export function databaseVersion({ database, settings, clock }: Stores): readonly Finding[] {
  if (database === undefined) {
    return [fine(`${settings.databaseUrl} is not there yet: the first start makes it.`)];
  }
  const { engine, version, migrationsLeft: left } = database;
  const findings: Finding[] = [];
  const end = engine === 'PostgreSQL' ? POSTGRES_ENDS[Number.parseInt(version, 10)] : undefined;
  if (end !== undefined && Date.parse(end) < clock.now()) {
    findings.push(
      wrong({
        what: `PostgreSQL ${version} has had no fixes since ${end}.`,
        why: 'A hole that is found in it after that stays open.',
        asvs: '15.2.1',
        change: 'pg_upgrade, or a dump that is restored into a newer server',
      }),
    );
  }
  if (left.length > 0) {
    findings.push(
      note({
        what: `The tables lack ${left.length === 1 ? 'a migration' : `${left.length} migrations`}: ${left.join(', ')}.`,
        why: 'The next start runs them, and an older version refuses the database after that.',
        change: 'coatcheck backup <file>, then coatcheck migrate',
      }),
    );
  }
  return orFine(findings, `${engine} ${version}, with the tables of this version.`);
}

/** Whether what was answered as done is there after a power cut. */
export function databaseDurability({ database }: Stores): readonly Finding[] {
  if (database === undefined) return [fine('There is no database yet.')];
  const { engine, durability, superuser } = database;
  if (engine === 'SQLite')
    return [fine('SQLite waits for the disk with what it answers as done (synchronous=FULL).')];
  const findings = Object.entries(durability)
    .filter(([, value]) => value === 'off')
    .map(([name]) =>
      wrong({
        what: `The server has ${name}=off.`,
        why: RISKS[name] ?? '',
        change: `alter system set ${name} = on; select pg_reload_conf();`,
      }),
    );
  if (superuser) {
    findings.push(
      note({
        what: 'The user of DATABASE_URL is a superuser of the server.',
        why: 'Who gets hold of its password, or of the service, has every database there, and the machine.',
        asvs: '13.2.2',
        change: 'createuser --pwprompt coatcheck, then: alter database <name> owner to coatcheck;',
      }),
    );
  }
  return orFine(findings, 'PostgreSQL waits for the disk, and the user is no superuser.');
}

/** Whether the database answers quickly enough to be asked at every exchange. */
export function databaseLatency({ database, settings }: Stores): readonly Finding[] {
  if (database === undefined) return [fine('There is no database yet.')];
  const where = databaseFile(settings.databaseUrl) === undefined ? 'PostgreSQL' : 'SQLite';
  return latencyOf(where, database.pings, 'DATABASE_URL');
}

/** The same for any store. @param setting the one that says where it is */
export function latencyOf(
  store: string,
  pings: readonly number[],
  setting: string,
): readonly Finding[] {
  const time = median(pings);
  const what = `${store} answers in ${time.toFixed(time < 10 ? 1 : 0)} ms (median of ${pings.length}).`;
  if (time < SLOW) return [fine(what)];
  const advice = {
    what,
    why: 'Every exchange asks it at least once: that is how long a token takes at the least, and a burst of requests piles up.',
    change: `${setting}=<one in the same building as the service>`,
  };
  return [time < FAR_TOO_SLOW ? note(advice) : wrong(advice)];
}
