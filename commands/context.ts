import { userInfo } from 'node:os';
import { isFirstRun, writeEnvFile } from '../config/env-file.ts';
import type { Services } from '../config/services.ts';
import type { Settings } from '../config/settings.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import type { User, UserStore } from '../users/user-store.ts';
import { say } from './terminal.ts';

/** The settings; on a first run they are written first, and whoever is there is told. */
export async function currentSettings(): Promise<Settings> {
  if (isFirstRun()) {
    const file = writeEnvFile();
    if (file !== undefined) {
      say(
        `First run: wrote ${file} from .env.example, with fresh secrets, for development on this machine.`,
      );
    }
  }
  const { loadSettings } = await import('../config/settings.ts');
  return loadSettings();
}

/** Opens the stores for one command and closes them after it. */
export async function withServices<T>(command: (services: Services) => Promise<T>): Promise<T> {
  const settings = await currentSettings();
  const [{ default: pino }, { createServices }] = await Promise.all([
    import('pino'),
    import('../config/services.ts'),
  ]);
  const log = pino({ level: 'warn' }, pino.destination(2));
  const actor = { kind: 'cli', id: systemUser() } as const;
  const services = await createServices(settings, { log, actor });
  try {
    return await command(services);
  } finally {
    await services[Symbol.asyncDispose]();
  }
}

/** Who runs this process, as the system calls them; by number where it has no name for them, as in a container. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}

/** The user of that username or e-mail address. @throws {Problem} `not_found` */
export async function findUser(users: UserStore, login: string): Promise<User> {
  const found = await users.findLogin(login);
  if (found === undefined) throw noUser(login);
  return found.user;
}

/** Also for one who was there a moment ago. */
export function noUser(login: string): Problem {
  return new Problem('not_found', `There is no user "${visible(login)}".`);
}
