import { type Finding, fine, note, orFine, wrong } from '../finding.ts';
import { jsonOf, METADATA, STRANGER } from './questions.ts';
import type { Answer, Question, Visit } from './visit.ts';

/** Whether there is a way in without a password. */
export async function bypass(visit: Visit): Promise<readonly Finding[]> {
  const { status } = await visit.ask({ path: '/auth/bypass' });
  if (status === 404) return [fine('/auth/bypass is 404, as if it did not exist.')];
  const advice = {
    what: `/auth/bypass answered ${status}, not 404.`,
    why: 'Where it exists, whoever can reach it signs in as anybody.',
    asvs: '6.3.4',
    change: 'NODE_ENV=production\nBYPASS_AUTH=false',
  };
  return [visit.isLocal ? note(advice) : wrong(advice)];
}

/** Whether scripts of other sites can read answers that depend on who is signed in. */
export async function cors(visit: Visit): Promise<readonly Finding[]> {
  const origins = [
    STRANGER,
    'null',
    `${visit.url.protocol}//${visit.url.hostname}.attacker.example`,
  ];
  const findings: Finding[] = [];
  for (const origin of origins) {
    const plain = await visit.ask({ path: '/auth/token', headers: { Origin: origin } });
    const preflight = await visit.ask({
      method: 'OPTIONS',
      path: '/auth/token',
      headers: { Origin: origin, 'Access-Control-Request-Method': 'GET' },
    });
    if ([plain, preflight].some((answer) => allows(answer, origin)))
      findings.push(readable(origin));
  }
  return orFine(findings, `None of ${origins.length} strange origins may read answers.`);
}

/** Whether another site can make a browser sign somebody in. */
export async function crossSite(visit: Visit): Promise<readonly Finding[]> {
  const { status } = await visit.ask({
    method: 'POST',
    path: '/auth/login',
    headers: {
      Origin: STRANGER,
      'Sec-Fetch-Site': 'cross-site',
      'Sec-Fetch-Mode': 'no-cors',
      'Content-Type': 'application/x-www-form-urlencoded',
    },
  });
  if (status === 403) return [fine('A login that another site asks for is refused: 403.')];
  return [
    wrong({
      what: `A login that another site asks for was answered ${status}, not 403.`,
      why: 'A page elsewhere can sign a person in as the attacker, who then reads what they enter.',
      asvs: '3.5.1',
      change:
        'nginx: no proxy_set_header for Origin and Sec-Fetch-Site: they have to arrive as they were sent',
    }),
  ];
}

/** Whether who asks can change what the service calls itself. */
export async function names(visit: Visit): Promise<readonly Finding[]> {
  if (visit.isLocal) return [fine('Not tried on this machine: it would switch a bypass off.')];
  const evil = new URL(STRANGER).host;
  const forged: Question = {
    path: `${METADATA.path}?coatcheck-doctor`, // a cache must not keep the answer for others
    headers: { 'X-Forwarded-Host': evil, 'X-Forwarded-Proto': 'http', Forwarded: `host=${evil}` },
  };
  const answer = await visit.ask(forged);
  const { issuer } = jsonOf(answer);
  const findings =
    answer.body.includes(evil) || (visit.isSecure && String(issuer).startsWith('http:'))
      ? [
          wrong({
            what: 'Headers of the caller change the addresses that the service gives for itself.',
            why: 'Apps and APIs are led elsewhere, and a cache on the way keeps that for everybody.',
            asvs: '4.1.3',
            change: 'nginx: proxy_set_header X-Forwarded-Host ""; proxy_set_header Forwarded "";',
          }),
        ]
      : [];
  return orFine(findings, 'Headers of the caller change no address.');
}

/** Whether what is for operators can be read by everybody. */
export async function operators(visit: Visit): Promise<readonly Finding[]> {
  if (visit.isLocal) return [fine('On this machine they may be read.')];
  const open: string[] = [];
  for (const path of ['/metrics', '/readyz']) {
    const { status } = await visit.ask({ path });
    if (status === 200 || status === 503) open.push(path);
  }
  const findings = open.map((path) =>
    note({
      what: `${path} can be read from here.`,
      why: 'It tells everybody how much goes on, and when a part of the service is away.',
      asvs: '13.4.5',
      change: `nginx: location = ${path} { return 404; }`,
    }),
  );
  return orFine(findings, '/metrics and /readyz stay inside.');
}

function allows({ headers }: Answer, origin: string): boolean {
  const allowed = headers['access-control-allow-origin'];
  return allowed === origin || allowed === '*';
}

function readable(origin: string): Finding {
  return wrong({
    what: `Scripts of ${origin} may read the answers of /auth/token.`,
    why: 'A page of that origin fetches the token of whoever visits it.',
    asvs: '3.4.2',
    change:
      'CORS_ORIGINS=<exact origins of your own apps>, and no Access-Control-Allow-Origin from the proxy',
  });
}
