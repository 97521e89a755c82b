import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from '../core/errors.ts';

const EXAMPLE = join(import.meta.dirname, '..', '.env.example');

/** The settings that get a random secret of their own when `.env` is written. */
const GENERATED = ['SESSION_SECRET', 'JWT_SECRET_KEY', 'KEY_ENCRYPTION_SECRET'];

/**
 * Writes `.env` from `.env.example` with fresh secrets, for the owner's eyes only, and never over an existing one.
 * @throws {SettingsError} in production
 * @returns the path of the file, or `undefined` when there was one already
 */
export function writeEnvFile(
  directory: string = process.cwd(),
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (environment['NODE_ENV'] === 'production') {
    throw new SettingsError([
      'NODE_ENV is production, where no file is written: set the environment instead',
    ]);
  }
  const file = join(directory, '.env');
  if (existsSync(file)) return undefined;
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, withSecrets(readFileSync(EXAMPLE, 'utf8')), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file); // whole or not at all, and unlike a rename never over another's file
    return file;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

/** Whether nothing has been set up yet: no `.env`, and no word in the environment on what this is. */
export function isFirstRun(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory: string = process.cwd(),
): boolean {
  return environment['NODE_ENV'] === undefined && !existsSync(join(directory, '.env'));
}

function withSecrets(example: string): string {
  return GENERATED.reduce(
    (text, name) =>
      text.replace(new RegExp(`^${name}=.*$`, 'm'), `${name}=${randomBytes(64).toString('hex')}`),
    example,
  );
}
