import { print, printTable, say } from '../terminal.ts';
import type { Result } from './asking.ts';
import { isAllGood, type Report } from './run.ts';
import { WEAKNESSES, type Weakness } from './weaknesses.ts';

/** The report for a person. Whatever the API said has its control characters replaced. */
export function printReport(report: Report): void {
  printTable(
    ['NAME', 'TRIED', 'EXPECTED', 'GOT', 'VERDICT'],
    report.results.map(({ name, tried, expected, got, verdict, isGood }) => [
      name,
      tried,
      expected,
      got,
      isGood ? verdict : verdict.toUpperCase(),
    ]),
  );
  for (const [name, of] of byWeakness(report.results)) {
    print(
      `\n${name}: ${of.map((result) => result.name).join(', ')}\n  ${inOneLine(WEAKNESSES[name])}`,
    );
  }
  for (const [why, omitted] of Map.groupBy(report.omissions, (omission) => omission.why)) {
    print(`\nNot tried, ${why}: ${omitted.map(({ name }) => name).join(', ')}`);
  }
  say(`\n${summary(report)}`);
}

export function summary(report: Report): string {
  if (report.worthless !== undefined) return report.worthless;
  const attempts = report.results.filter(({ expected }) => expected !== '2xx');
  const count = (verdict: string) => attempts.filter((one) => one.verdict === verdict).length;
  const left = report.omissions.length;
  const end = left === 0 ? '.' : `; ${left} not tried.`;
  if (isAllGood(report)) return `All ${attempts.length} attempts were refused${end}`;
  const parts = ['refused', 'accepted', 'crashed', 'called', 'unclear'].map(
    (v) => `${count(v)} ${v}`,
  );
  return `Of ${attempts.length} attempts: ${parts.join(', ')}${end}`;
}

/** What `--json` prints. */
export function reportJson(report: Report) {
  return {
    url: report.url,
    method: report.method,
    passed: isAllGood(report),
    summary: summary(report),
    attempts: report.results.map(({ isGood, weakness, ...result }) => ({
      ...result,
      status: result.status ?? null,
      passed: isGood,
      ...(weakness === undefined ? {} : { ...WEAKNESSES[weakness] }),
    })),
    not_tried: report.omissions,
  };
}

/** What it means, how it is mended, and which requirement it fails. */
export function inOneLine({ means, mend, asvs }: Weakness): string {
  return [means, mend, asvs && `(OWASP ASVS 5.0, ${asvs})`].filter(Boolean).join(' ');
}

function byWeakness(results: readonly Result[]) {
  const bad = results.flatMap(({ weakness, ...result }) =>
    weakness ? [{ weakness, ...result }] : [],
  );
  return Map.groupBy(bad, ({ weakness }) => weakness);
}
