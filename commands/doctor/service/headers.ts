import { type Finding, note, orFine, wrong } from '../finding.ts';
import { EXCHANGE, GARBLED_LOGIN, KEY_SET, NOWHERE, PAGE } from './questions.ts';
import type { Answer, Question, Visit } from './visit.ts';

/** A year in seconds: as long as ASVS wants HSTS to last. */
const YEAR = 31_536_000;

/** A page, an answer for scripts, a public document, and errors: a header that one of them lacks is missing. */
const LOOKED_AT: readonly Question[] = [PAGE, EXCHANGE, KEY_SET, NOWHERE, GARBLED_LOGIN];

const PASS_ON = 'The proxy in front must pass on what the service sends, and add none of its own.';

/** What an answer must say, and why. */
interface Demand {
  readonly header: string;
  readonly holds: (value: string) => boolean;
  readonly why: string;
  readonly asvs: string;
  /** Only over https. */
  readonly secure?: true;
}

const DEMANDS: readonly Demand[] = [
  {
    header: 'content-security-policy',
    holds: isStrictPolicy,
    why: 'A script that finds its way into a page runs, and has the session of whoever looks at it.',
    asvs: '3.4.3',
  },
  {
    header: 'content-security-policy',
    holds: (value) => /frame-ancestors\s+'(?:none|self)'/.test(value),
    why: 'Another site can show the login in a frame and have people click in it unseen.',
    asvs: '3.4.6',
  },
  {
    header: 'x-content-type-options',
    holds: (value) => value.toLowerCase() === 'nosniff',
    why: 'Browsers may take an answer for a script.',
    asvs: '3.4.4',
  },
  {
    header: 'referrer-policy',
    holds: (value) => /^(?:no-referrer|same-origin|strict-origin)/.test(value),
    why: 'Addresses of pages here reach other sites.',
    asvs: '3.4.5',
  },
  {
    header: 'cross-origin-resource-policy',
    holds: (value) => value !== '',
    why: 'Another site can load answers into its own process, where attacks on the processor read them.',
    asvs: '3.5.8',
  },
  {
    header: 'strict-transport-security',
    holds: (value) =>
      Number(/max-age="?(\d+)/i.exec(value)?.[1]) >= YEAR && /includesubdomains/i.test(value),
    why: 'The first request of a day may go over http, where anybody on the way answers it.',
    asvs: '3.4.1',
    secure: true,
  },
];

/** Whether browsers are told what they must not do, on every kind of answer. */
export async function headers(visit: Visit): Promise<readonly Finding[]> {
  const answers = await askAll(visit, LOOKED_AT);
  const findings = DEMANDS.filter(({ secure }) => !secure || visit.isSecure).flatMap((demand) => {
    const lacking = answers.filter(({ answer }) => !demand.holds(valueOf(answer, demand.header)));
    return lacking.length === 0 ? [] : [missing(demand, lacking)];
  });
  return orFine(
    findings,
    `${DEMANDS.length} rules for browsers on ${answers.length} kinds of answers.`,
  );
}

/** Whether the service says more of itself than it need. */
export async function disclosure(visit: Visit): Promise<readonly Finding[]> {
  const answers = await askAll(visit, LOOKED_AT);
  const found = new Set(
    answers.flatMap(({ answer }) =>
      ['x-powered-by', 'server']
        .map((name) => `${name}: ${valueOf(answer, name)}`)
        .filter((line) => /^x-powered-by: .|\d/.test(line)),
    ),
  );
  const findings = [...found].map((line) =>
    note({
      what: `Answers say "${line}".`,
      why: 'Who looks for a hole of one version finds those who run it.',
      asvs: '13.4.6',
      change: 'nginx: server_tokens off;',
    }),
  );
  return orFine(findings, 'No answer names a version.');
}

function missing({ header, why, asvs }: Demand, lacking: readonly { path: string }[]): Finding {
  return wrong({
    what: `${header} is missing or too weak on ${lacking.map(({ path }) => path).join(', ')}.`,
    why,
    asvs,
    change: header === 'strict-transport-security' ? `PUBLIC_URL=https://…\n${PASS_ON}` : PASS_ON,
  });
}

/** Scripts from nowhere or by hash or nonce, no plug-ins, no other base. */
function isStrictPolicy(policy: string): boolean {
  const directives = new Map(
    policy.split(';').map((text) => {
      const [name = '', ...values] = text.trim().split(/\s+/);
      return [name.toLowerCase(), values] as const;
    }),
  );
  const scripts = directives.get('script-src') ?? directives.get('default-src') ?? ['*'];
  const objects = directives.get('object-src') ?? directives.get('default-src') ?? ['*'];
  const loose = /^(?:'unsafe-(?:inline|eval)'|\*|https?:|data:)$/;
  return (
    !scripts.some((source) => loose.test(source)) &&
    objects.join() === "'none'" &&
    directives.get('base-uri')?.join() === "'none'"
  );
}

async function askAll(
  visit: Visit,
  questions: readonly Question[],
): Promise<{ path: string; answer: Answer }[]> {
  const all: { path: string; answer: Answer }[] = [];
  for (const question of questions) {
    all.push({ path: question.path, answer: await visit.ask(question) });
  }
  return all;
}

function valueOf({ headers: all }: Answer, name: string): string {
  return [all[name] ?? ''].flat().join(', ');
}
