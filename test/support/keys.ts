import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { SqlAudit } from '../../audit/audit.ts';
import { openKeys } from '../../config/keys.ts';
import { loadSettings } from '../../config/settings.ts';
import type { Database } from '../../storage/database.ts';
import type { SigningKeys } from '../../tokens/signing-keys.ts';
import type { TestClock } from './clock.ts';

/** A good secret, another one each time. */
export const freshSecret = () => randomBytes(64).toString('hex');

/** The keys as one process has them, and what it logged. */
export interface KeyProcess {
  readonly keys: SigningKeys;
  readonly logged: () => string;
}

/** @param environment settings over those of `.env.test`, as strings */
export async function openProcess(
  database: Database,
  clock: TestClock,
  environment: Record<string, string> = {},
): Promise<KeyProcess> {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const settings = loadSettings({ NODE_ENV: 'test', ...environment });
  const audit = new SqlAudit({ database, clock, log, actor: { kind: 'service' } });
  const keys = await openKeys(settings, { database, clock, log, audit });
  return { keys, logged: () => lines.join('') };
}

/** A process that has started as a server does, but for the timer: a test does the rounds. */
export async function startProcess(...of: Parameters<typeof openProcess>): Promise<KeyProcess> {
  const opened = await openProcess(...of);
  await opened.keys.startSigning();
  return opened;
}
