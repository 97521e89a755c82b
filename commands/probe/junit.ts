import type { Result } from './asking.ts';
import type { Report } from './run.ts';
import { inOneLine } from './report.ts';
import { WEAKNESSES } from './weaknesses.ts';

/** The report as JUnit XML, for the test pages of CI systems. What cannot be told is an error, not a failure. */
export function junitXml(report: Report): string {
  const cases = report.results.map(testCase);
  const skipped = report.omissions.map(
    ({ name, why }) => `${opening(name, 0)}<skipped message="${escaped(why)}"/></testcase>`,
  );
  const worthless =
    report.worthless === undefined
      ? []
      : [`${opening('worth', 0)}<error message="${escaped(report.worthless)}"/></testcase>`];
  const all = [...cases, ...skipped, ...worthless];
  const count = (element: string) => all.filter((text) => text.includes(`<${element} `)).length;
  const seconds = report.results.reduce((sum, result) => sum + result.seconds, 0).toFixed(3);
  const counts = `tests="${all.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${skipped.length}"`;
  const name = escaped(`coatcheck probe ${report.method} ${report.url}`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts} time="${seconds}">`,
    `<testsuite name="${name}" ${counts} time="${seconds}">`,
    ...all,
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({
  name,
  tried,
  expected,
  got,
  verdict,
  isGood,
  weakness,
  seconds,
}: Result): string {
  const start = opening(`${name}: ${tried}`, seconds);
  if (isGood) return `${start}</testcase>`;
  const element = verdict === 'unclear' ? 'error' : 'failure';
  const message = escaped(`expected ${expected}, got ${got}`);
  const text = weakness === undefined ? '' : escaped(inOneLine(WEAKNESSES[weakness]));
  return `${start}<${element} type="${verdict}" message="${message}">${text}</${element}></testcase>`;
}

function opening(name: string, seconds: number): string {
  return `<testcase classname="coatcheck.probe" name="${escaped(name)}" time="${seconds.toFixed(3)}">`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** As text or in an attribute; what XML 1.0 cannot hold (section 2.2), control characters above all, is replaced. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\uFFFE\uFFFF]/gu, '\uFFFD')
    .replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
}
