import { visible } from '../../core/text.ts';
import { counted, print, printTable, say } from '../terminal.ts';
import { isWell, type Result } from './examine.ts';
import type { Verdict } from './finding.ts';

/** The report for a person: a table of all, then what to do about each that is not fine. */
export function printReport(results: readonly Result[]): void {
  printTable(
    ['CHECK', 'VERDICT', 'FOUND'],
    results.map(({ check, verdict, what }) => [
      check,
      verdict === 'wrong' ? verdict.toUpperCase() : verdict,
      what,
    ]),
  );
  for (const { check, verdict, what, why, asvs, change } of results) {
    if (verdict === 'fine') continue;
    print(`\n${check}: ${visible(what)}`);
    if (why !== undefined) print(`  ${visible(why)}${asvs ? ` (OWASP ASVS 5.0, ${asvs})` : ''}`);
    for (const line of (change ?? '').split('\n')) print(`  > ${visible(line)}`);
  }
  say(`\n${summary(results)}`);
}

export function summary(results: readonly Result[]): string {
  const count = (wanted: Verdict) => results.filter(({ verdict }) => verdict === wanted).length;
  const rest = `${counted(count('note'), 'note')}, ${count('fine')} fine.`;
  return isWell(results) ? `Nothing is wrong: ${rest}` : `${count('wrong')} wrong, ${rest}`;
}

/** What `--json` prints. @param of the address that was examined, or nothing for the settings */
export function reportJson(of: string | undefined, results: readonly Result[]) {
  return {
    of: of ?? 'settings',
    passed: isWell(results),
    summary: summary(results),
    findings: results.map(({ check, verdict, what, why, asvs, change }) => ({
      check,
      verdict,
      what,
      why: why ?? null,
      asvs: asvs ?? null,
      change: change ?? null,
    })),
  };
}
