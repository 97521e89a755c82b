import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Settings } from '../../config/settings.ts';
import { parsePostgresUrl } from '../../storage/postgres-url.ts';
import { type Finding, orFine, wrong } from './finding.ts';
import type { Setup } from './setup.ts';

/** What nobody may but the owner: write as the group, and anything as the rest. */
const TOO_MUCH = 0o027;
const WRITE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

/** Whether others on this machine can read or replace what is secret. */
export function fileModes({ settings }: Setup): readonly Finding[] {
  return modesOf(secretFiles(settings));
}

/** The same for files by their names; those that are not there are left out. */
export function modesOf(files: readonly string[]): readonly Finding[] {
  if (process.platform === 'win32') return orFine([], 'Windows has no modes to look at.');
  const there = files.filter(existsSync);
  const directories = [...new Set(there.map((file) => dirname(file)))];
  const findings = [...there.flatMap(fileFinding), ...directories.flatMap(directoryFinding)];
  const names = there.map((file) => basename(file)).join(', ');
  return orFine(
    findings,
    names === ''
      ? 'None of the files that are looked at is here.'
      : `Only for their owner: ${names}.`,
  );
}

function fileFinding(file: string): Finding[] {
  const mode = statSync(file).mode & 0o777;
  if ((mode & TOO_MUCH) === 0) return [];
  return [
    wrong({
      what: `${file} has the mode ${inOctal(mode)}.`,
      why: 'Every user and every program on this machine can read it, or its group can change it.',
      asvs: '13.3.2',
      change: `chmod ${inOctal(mode & ~TOO_MUCH)} ${file}`,
    }),
  ];
}

function directoryFinding(directory: string): Finding[] {
  const { mode } = statSync(directory);
  if ((mode & WRITE_BY_OTHERS) === 0 || (mode & STICKY) !== 0) return [];
  return [
    wrong({
      what: `Everybody may write to ${directory}.`,
      why: 'Who may do that can put another file in the place of one, whatever the mode of that is.',
      asvs: '13.3.2',
      change: `chmod o-w ${directory}`,
    }),
  ];
}

function secretFiles({ databaseUrl, tls }: Settings): string[] {
  const postgres = parsePostgresUrl(databaseUrl);
  const database = databaseFile(databaseUrl);
  return [
    ...(database === undefined ? [] : ['', '-wal', '-shm'].map((end) => `${database}${end}`)),
    ...(tls === undefined ? [] : [resolve(tls.keyFile)]),
    ...(typeof postgres === 'string' || postgres.parameters.sslkey === undefined
      ? []
      : [resolve(postgres.parameters.sslkey)]),
  ];
}

/** The path of SQLite's file; nothing with a server. */
export function databaseFile(databaseUrl: string): string | undefined {
  return databaseUrl.startsWith('sqlite:')
    ? resolve(databaseUrl.slice('sqlite:'.length))
    : undefined;
}

function inOctal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
