import { isFirstRun } from '../../config/env-file.ts';
import { loadSettings, type Settings } from '../../config/settings.ts';
import { systemClock } from '../../core/clock.ts';
import { SettingsError } from '../../core/errors.ts';
import { MACHINE_CHECKS, SETUP_CHECKS, STORE_CHECKS } from './checks.ts';
import { examine, type Progress, type Result, unseen, UNUSABLE } from './examine.ts';
import { wrong } from './finding.ts';
import { thisMachine } from './machine.ts';
import { surveyStores } from './stores.ts';

/** The machine, the settings and the stores; as far as one can get. */
export async function examineHere(onProgress: Progress): Promise<Result[]> {
  const results = await examine(MACHINE_CHECKS, thisMachine(), onProgress);
  const settings = readSettings();
  if (Array.isArray(settings)) return [...results, ...settings];
  const setup = { settings, clock: systemClock };
  results.push(...(await examine(SETUP_CHECKS, setup, onProgress)));
  try {
    onProgress('stores');
    const stores = await surveyStores(settings, systemClock);
    results.push(...(await examine(STORE_CHECKS, stores, onProgress)));
  } catch (error) {
    results.push({ check: 'stores', ...unseen(error) });
  }
  return results;
}

/** The settings, or all that is wrong with them. Unlike a start, this never writes a file. */
function readSettings(): Settings | Result[] {
  try {
    return loadSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    if (isFirstRun()) return [nothingYet()];
    return error.problems.map((problem) => badSetting(problem));
  }
}

function nothingYet(): Result {
  return {
    check: UNUSABLE,
    ...wrong({
      what: 'There are no settings here: no .env in this directory, and NODE_ENV is not set.',
      why: 'There is nothing to look at yet. A first start makes settings for development; in production the environment has them.',
      change: 'coatcheck init',
    }),
  };
}

function badSetting(problem: string): Result {
  const [name = ''] = problem.split(' ', 1);
  return {
    check: UNUSABLE,
    ...wrong({ what: problem, why: 'The start is refused.', change: `${name}=<as said above>` }),
  };
}
