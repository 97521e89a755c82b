import { type Finding, orFine, wrong } from '../finding.ts';
import { EXCHANGE, GARBLED_LOGIN, jsonOf, NOWHERE } from './questions.ts';
import type { Answer, Question, Visit } from './visit.ts';

const TRACE: Question = { method: 'TRACE', path: '/auth/token' };

/** Each error with the status that it must have. */
const ERRORS: readonly [Question, number][] = [
  [EXCHANGE, 401],
  [NOWHERE, 404],
  [GARBLED_LOGIN, 400],
];

/** Lines of a stack, paths of the code, and words of a database. */
const INSIDE = /\n\s+at |node_modules|file:\/\/|\.[jt]s:\d+|SQLITE_|pg_catalog|ECONNREFUSED/;

/** Whether errors tell the caller what to do, and nobody what is inside. */
export async function errors(visit: Visit): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [question, status] of ERRORS) {
    findings.push(...errorFindings(question, status, await visit.ask(question)));
  }
  const traced = await visit.ask(TRACE);
  if (traced.status === 200) findings.push(echoes());
  return orFine(
    findings,
    `${ERRORS.length} kinds of errors as problem+json, without a word of the inside.`,
  );
}

/** Whether nobody on the way keeps what depends on a session. */
export async function noStore(visit: Visit): Promise<readonly Finding[]> {
  const { headers } = await visit.ask(EXCHANGE);
  const findings: Finding[] = [];
  if (headers['cache-control'] !== 'no-store' || headers.etag !== undefined) {
    findings.push(
      wrong({
        what: `${EXCHANGE.path} comes with cache-control: ${headers['cache-control'] ?? 'nothing'}${headers.etag ? ', and an ETag' : ''}.`,
        why: "A cache on the way may keep one person's token, and hand it to the next.",
        asvs: '14.3.2',
        change: 'nginx: proxy_pass_header Cache-Control; (and no "expires" for /auth)',
      }),
    );
  }
  return orFine(findings, `${EXCHANGE.path} is no-store, without an ETag.`);
}

function errorFindings(
  { method = 'GET', path }: Question,
  wanted: number,
  answer: Answer,
): Finding[] {
  const { status, headers, body } = answer;
  const what = `${method} ${path}`;
  const findings: Finding[] = [];
  if (INSIDE.test(body)) {
    findings.push(
      wrong({
        what: `The error of ${what} shows the inside of the program.`,
        why: 'It tells an attacker what runs there, and where.',
        asvs: '16.5.1',
        change: 'NODE_ENV=production',
      }),
    );
  }
  const isProblem = (headers['content-type'] ?? '').startsWith('application/problem+json');
  if (status !== wanted || !isProblem || jsonOf(answer)['status'] !== wanted) {
    findings.push(
      wrong({
        what: `${what} answered ${status} (${headers['content-type'] ?? 'no type'}), not ${wanted} as problem+json.`,
        why: 'Apps tell by it what to do next, such as to ask for the password again.',
        change: 'nginx: proxy_intercept_errors off;',
      }),
    );
  }
  return findings;
}

function echoes(): Finding {
  return wrong({
    what: 'TRACE is answered with 200.',
    why: 'It sends back what was sent, cookies and headers of proxies too.',
    asvs: '13.4.4',
    change: 'Apache: TraceEnable off',
  });
}
