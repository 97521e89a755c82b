import { expect } from 'chai';
import type { Checks, Finding, Verdict } from '../../commands/doctor/finding.ts';

/** What a check must find: how grave, in which words, and what to do about it. */
export interface Expected {
  readonly check: string;
  readonly verdict: Verdict;
  readonly what: RegExp;
  readonly asvs?: string;
  /** What the line to change contains. */
  readonly change?: string;
}

/** Runs one check of a list. */
export async function findingsOf<Subject>(
  checks: Checks<Subject>,
  check: string,
  subject: Subject,
): Promise<readonly Finding[]> {
  const look = checks[check];
  if (look === undefined) throw new Error(`there is no check ${check}`);
  return look(subject);
}

/** Whether the finding is there where it should be, and is not where all is good. */
export async function expectFinding<Subject>(
  checks: Checks<Subject>,
  { check, verdict, what, asvs, change }: Expected,
  { bad, good }: { bad: Subject; good: Subject },
): Promise<void> {
  const findings = await findingsOf(checks, check, bad);
  const found = findings.find((finding) => what.test(finding.what));
  expect(found, JSON.stringify(findings)).to.include({ verdict });
  expect(found?.asvs).to.equal(asvs);
  if (change !== undefined) expect(found?.change).to.include(change);
  expect(found?.why).to.match(/\.$/);
  expect(
    (await findingsOf(checks, check, good)).filter((one) => what.test(one.what)),
  ).to.deep.equal([]);
}
