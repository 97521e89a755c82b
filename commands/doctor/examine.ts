import { SettingsError } from '../../core/errors.ts';
import { type Check, type Checks, type Finding, wrong } from './finding.ts';

/** A finding with the name of the check that it comes from. */
export interface Result extends Finding {
  readonly check: string;
}

/** What findings are called where the settings cannot be used: the rest could not be looked at. */
export const UNUSABLE = 'settings';

/** Told the name of each check before it is run. */
export type Progress = (check: string) => void;

/** Runs the checks one after another. One that fails is reported as wrong, and the next one runs. */
export async function examine<Subject>(
  checks: Checks<Subject>,
  subject: Subject,
  onProgress: Progress,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [check, look] of Object.entries(checks)) {
    onProgress(check);
    const findings = await lookWith(look, subject);
    results.push(...findings.map((finding) => ({ check, ...finding })));
  }
  return results;
}

async function lookWith<Subject>(
  look: Check<Subject>,
  subject: Subject,
): Promise<readonly Finding[]> {
  try {
    return await look(subject);
  } catch (error) {
    return [unseen(error)];
  }
}

/** What is said of something that could not be looked at. */
export function unseen(error: unknown): Finding {
  return wrong({
    what: `This could not be looked at: ${reasonOf(error)}`,
    why: 'What nobody can look at may be wrong.',
    change: 'Mend that first, then run "coatcheck doctor" again.',
  });
}

/** What an error says, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof SettingsError) return `${error.problems.join('; ')}.`;
  return error instanceof Error ? error.message : String(error);
}

/** Whether nothing is wrong. Notes are no reason to fail. */
export function isWell(results: readonly Result[]): boolean {
  return results.every(({ verdict }) => verdict !== 'wrong');
}
