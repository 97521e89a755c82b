import { type Finding, note, orFine, wrong } from '../finding.ts';
import { EXCHANGE, LOGOUT, PAGE } from './questions.ts';
import type { Visit } from './visit.ts';

/** Whether cookies are for this host and its server only, as far as that shows without an account. */
export async function cookies(visit: Visit): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const question of [PAGE, EXCHANGE]) {
    const set = (await visit.ask(question)).headers['set-cookie'] ?? [];
    if (set.length > 0) findings.push(tooEarly(question.path, set));
  }
  // a logout without a session takes back the cookies that a login would set, with the same attributes
  const { status, headers } = await visit.ask(LOGOUT);
  const taken = headers['set-cookie'] ?? [];
  if (status !== 204 || taken.length === 0) findings.push(unseen(status));
  findings.push(...taken.flatMap((line) => flaws(line, visit)));
  return orFine(findings, taken.map((line) => withoutValue(line)).join('; '));
}

function tooEarly(path: string, set: readonly string[]): Finding {
  return note({
    what: `${path} sets the cookie ${set.map(nameOf).join(', ')} for whoever comes.`,
    why: 'This service sets none before a login: something in front of it does.',
    change: 'Look at the proxy in front.',
  });
}

function unseen(status: number): Finding {
  return note({
    what: `POST /auth/logout without a session answered ${status}, and took no cookie back.`,
    why: 'The attributes of the cookies could not be seen.',
    change: 'Let the proxy pass POST /auth/logout on, with Set-Cookie in the answer.',
  });
}

/** What is wrong with a cookie, by the rule that it breaks. */
function flaws(line: string, { isSecure, url }: Visit): Finding[] {
  const [name, attributes] = [nameOf(line), line.toLowerCase().split(/;\s*/).slice(1)];
  const has = (attribute: string) => attributes.includes(attribute);
  const rules: readonly [boolean, string, string, string][] = [
    [
      isSecure && !has('secure'),
      'is not Secure',
      'It travels over http as well, in the open.',
      '3.3.1',
    ],
    [
      isSecure && !name.startsWith('__Host-'),
      'has no __Host- prefix',
      'Any other host of the same domain can set it.',
      '3.3.3',
    ],
    [!has('httponly'), 'is not HttpOnly', 'A script that gets into a page reads it.', '3.3.4'],
    [
      !/;\s*samesite=(?:lax|strict|none)/i.test(line),
      'has no SameSite',
      'Each browser does with it on requests of other sites what it likes.',
      '3.3.2',
    ],
    [
      attributes.some((attribute) => attribute.startsWith('domain=')),
      'has a Domain',
      'Every host of that domain gets it.',
      '3.3.3',
    ],
  ];
  return rules
    .filter(([broken]) => broken)
    .map(([, flaw, why, asvs]) =>
      wrong({ what: `The cookie ${name} ${flaw}.`, why, asvs, change: `PUBLIC_URL=${url.origin}` }),
    );
}

function nameOf(line: string): string {
  return line.split('=', 1)[0] ?? '';
}

function withoutValue(line: string): string {
  const [pair = '', ...attributes] = line.split(/;\s*/);
  const kept = attributes.filter((attribute) => !/^(?:expires|max-age)=/i.test(attribute));
  return [nameOf(pair), ...kept].join(', ');
}
