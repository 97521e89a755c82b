import { existsSync } from 'node:fs';
import pino from 'pino';
import { SqlAudit } from '../../audit/audit.ts';
import { openKeys } from '../../config/keys.ts';
import type { Settings } from '../../config/settings.ts';
import type { Clock } from '../../core/clock.ts';
import { type Database, openAsItIs } from '../../storage/database.ts';
import type { RedisAddress } from '../../storage/redis-address.ts';
import type { RedisSurvey } from '../../storage/redis-survey.ts';
import { type DatabaseSurvey, surveyDatabase } from '../../storage/survey.ts';
import { isHmac } from '../../tokens/algorithms.ts';
import { type KeyReport, reportKeys } from '../../tokens/key-operations.ts';
import { sharedKeys } from '../../tokens/key-secrets.ts';
import { reasonOf } from './examine.ts';
import { databaseFile } from './files.ts';

/** The stores as they are, and what the checks of them look at. */
export interface Stores {
  readonly settings: Settings;
  readonly clock: Clock;
  /** Nothing where the file of SQLite has not been made yet. */
  readonly database: DatabaseSurvey | undefined;
  readonly keys: readonly KeyState[];
  /** Nothing where sessions are in the database. */
  readonly redis: RedisSurvey | undefined;
}

/** A key as operators see it, and what else is to be known of it. */
export interface KeyState extends KeyReport {
  /** Why it cannot be used with these settings, if it cannot. */
  readonly fault?: string;
  /** Of an RSA key. */
  readonly bits?: number;
  /** Whether it is one of JWT_SECRET_KEY_PREVIOUS. */
  readonly previous: boolean;
}

const SILENT = pino({ level: 'silent' });

/**
 * Looks at the stores of the settings and closes them again. Makes and changes nothing.
 * @throws {StorageError} when one of them does not answer
 * @throws {SettingsError} when one refuses what the settings say
 */
export async function surveyStores(settings: Settings, clock: Clock): Promise<Stores> {
  const { databaseUrl, sessionStore } = settings;
  const file = databaseFile(databaseUrl);
  const redis = sessionStore && (await surveyOfRedis(sessionStore, clock));
  const missing = file !== undefined && !existsSync(file);
  if (missing) return { settings, clock, database: undefined, keys: [], redis };
  const database = await openAsItIs(databaseUrl);
  try {
    const engine = file === undefined ? 'PostgreSQL' : 'SQLite';
    const survey = await surveyDatabase(database, engine, clock);
    const keys = survey.migrationsLeft.length > 0 ? [] : await keyStates(settings, database, clock);
    return { settings, clock, database: survey, keys, redis };
  } finally {
    await database.close();
  }
}

/** Loaded only where it is wanted, as for the service itself. */
async function surveyOfRedis(address: RedisAddress, clock: Clock): Promise<RedisSurvey> {
  const [{ RedisConnection }, { surveyRedis }] = await Promise.all([
    import('../../storage/redis-connection.ts'),
    import('../../storage/redis-survey.ts'),
  ]);
  const redis = new RedisConnection(address, SILENT);
  try {
    return await surveyRedis(redis, clock);
  } finally {
    redis.close();
  }
}

async function keyStates(
  settings: Settings,
  database: Database,
  clock: Clock,
): Promise<KeyState[]> {
  const parts = { database, clock, log: SILENT };
  const audit = new SqlAudit({ ...parts, actor: { kind: 'service' } });
  const keys = await openKeys(settings, { ...parts, audit });
  try {
    const reports = await reportKeys(keys.context);
    const rows = await keys.context.store.all();
    const previous = previousNames(settings);
    return reports.map((report) => {
      const row = rows.findLast(({ kid }) => kid === report.kid);
      const fault =
        report.state === 'gone' || !row
          ? undefined
          : faultOf(() => keys.context.holder.signing(row));
      const modulus = row?.publicJwk?.n;
      return {
        ...report,
        previous: previous.has(report.kid),
        ...(fault !== undefined && { fault }),
        ...(modulus !== undefined && { bits: Buffer.from(modulus, 'base64url').length * 8 }),
      };
    });
  } finally {
    await keys.stop();
  }
}

/** The names of earlier secrets, each under every algorithm that it may have signed with. */
function previousNames({ jwt }: Settings): Set<string> {
  const earlier = sharedKeys(undefined, jwt.previousSecrets, jwt.algorithm);
  return new Set(earlier.unlisted([]).map(({ kid }) => kid));
}

function faultOf(use: () => unknown): string | undefined {
  try {
    use();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Whether its age is for a person to look after: nothing replaces a shared secret by itself. */
export function isShared({ algorithm }: KeyState): boolean {
  return isHmac(algorithm);
}
