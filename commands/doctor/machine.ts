import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { join } from 'node:path';
import { namesGiven } from '../../config/settings.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { isOlder, VERSION_FLOORS } from './versions.ts';

/** What is looked at whether or not the settings can be read. */
export interface Machine {
  readonly clock: Clock;
  /** Where `.env` is, if there is one. */
  readonly directory: string;
  /** Of the Node that runs this, such as `24.11.0`. */
  readonly nodeVersion: string;
  readonly packages: readonly Package[];
  /** All names in the environment and in `.env`. */
  readonly names: readonly string[];
}

/** A library as it is installed. */
export interface Package {
  readonly name: string;
  /** `undefined` where it is not installed. */
  readonly version: string | undefined;
  /** The oldest that the code was written for, or that has no hole that is known. */
  readonly atLeast: string;
  /** What is wrong with older ones, where that is known. */
  readonly hole?: string;
}

export function thisMachine(): Machine {
  return {
    clock: systemClock,
    directory: process.cwd(),
    nodeVersion: process.versions.node,
    packages: installedPackages(),
    names: namesGiven(),
  };
}

const ROOT = join(import.meta.dirname, '..', '..');

/** What package.json asks for, and what is known of holes: the later version counts. */
function installedPackages(): Package[] {
  const wanted = dependenciesIn(join(ROOT, 'package.json')).map(([name, atLeast]) => ({
    name,
    version: installedVersion([name]),
    atLeast,
  }));
  const known = VERSION_FLOORS.map(({ path, atLeast, hole }) => ({
    name: path.join(' > '),
    version: installedVersion(path),
    atLeast,
    hole,
  }));
  const older = known.filter(({ version, atLeast }) => isOlder(version, atLeast));
  const named = new Set(older.map(({ name }) => name));
  return [...older, ...wanted.filter(({ name }) => !named.has(name))];
}

/** Along a path of dependencies, each as the one before it finds it. */
function installedVersion(path: readonly string[]): string | undefined {
  let file: string | undefined = join(ROOT, 'package.json');
  for (const name of path) file = file && packageOf(name, file);
  return file === undefined ? undefined : String(jsonIn(file)['version']);
}

function packageOf(name: string, from: string): string | undefined {
  try {
    return findPackageJSON(name, from);
  } catch {
    return undefined; // not installed
  }
}

function dependenciesIn(file: string): [string, string][] {
  const { dependencies } = jsonIn(file);
  return Object.entries(
    typeof dependencies === 'object' && dependencies !== null ? dependencies : {},
  ).map(([name, range]) => [name, String(range).replace(/^[^\d]+/, '')]);
}

function jsonIn(file: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
