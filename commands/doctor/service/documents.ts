import { type Finding, note, orFine, wrong } from '../finding.ts';
import { EXCHANGE, jsonOf, KEY_SET, METADATA } from './questions.ts';
import type { Answer, Visit } from './visit.ts';

/** Seconds that a key set may be kept: less makes APIs ask all the time, and longer misses a rotation. */
const SHORTEST = 60;
const LONGEST = 600;

/** What a public key must not have (RFC 7518, section 6): private halves, and shared secrets. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Whether APIs can keep the keys for a while, and find them by the issuer. */
export async function keySet(visit: Visit): Promise<readonly Finding[]> {
  const answer = await visit.ask(KEY_SET);
  const keys = jsonOf(answer)['keys'];
  if (answer.status !== 200 || !Array.isArray(keys)) return [noKeySet(answer.status)];
  const etag = answer.headers.etag ?? '';
  const findings = [
    ...(keys.some(hasPrivatePart) ? [privatePart()] : []),
    ...(keepable(answer) ? [] : [notKept(answer)]),
    ...(etag === '' ? [noTag()] : await revalidation(visit, etag)),
  ];
  const age = answer.headers['cache-control'] ?? '';
  return orFine(findings, `${keys.length} public keys, ${age}, 304 for whoever has them.`);
}

/** Whether the service says of itself that it is where it was found. */
export async function metadata(visit: Visit): Promise<readonly Finding[]> {
  const { issuer, jwks_uri: keys } = jsonOf(await visit.ask(METADATA));
  const here = visit.url.origin;
  const elsewhere = [issuer, keys].some(
    (address) => typeof address === 'string' && URL.parse(address)?.origin !== here,
  );
  return orFine(elsewhere ? [otherName(here, String(issuer))] : [], `The issuer is ${here}.`);
}

/** Whether the clock of the service is that of this machine. */
export async function clock(visit: Visit): Promise<readonly Finding[]> {
  const { headers } = await visit.ask(EXCHANGE);
  const seconds = Math.round((Date.parse(headers.date ?? '') - visit.manner.clock.now()) / 1000);
  const apart = Math.abs(seconds) > visit.manner.timeout / 1000 + 30;
  const findings = apart
    ? [
        note({
          what: `Its clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the one here.`,
          why: 'One of the two is wrong; where APIs and the service do not agree, tokens are refused or last too long.',
          asvs: '16.2.2',
          change: 'systemctl enable --now chrony',
        }),
      ]
    : [];
  return orFine(findings, 'Its clock agrees with the one here.');
}

function noKeySet(status: number): Finding {
  return wrong({
    what: `${KEY_SET.path} answered ${status}, and no key set.`,
    why: 'APIs that look for the keys there refuse every token.',
    change: `Let the proxy pass ${KEY_SET.path} on.`,
  });
}

function privatePart(): Finding {
  return wrong({
    what: 'A key in the public key set has its private half with it.',
    why: 'Everybody can make tokens.',
    asvs: '13.3.1',
    change: 'coatcheck key rotate --emergency',
  });
}

function keepable({ headers }: Answer): boolean {
  const value = headers['cache-control'] ?? '';
  const seconds = Number(/max-age=(\d+)/.exec(value)?.[1] ?? 0);
  return !/no-store|no-cache|private/.test(value) && seconds >= SHORTEST && seconds <= LONGEST;
}

function notKept({ headers }: Answer): Finding {
  return wrong({
    what: `The key set comes with cache-control: ${headers['cache-control'] ?? 'nothing'}.`,
    why: `It should be max-age=${LONGEST}: with less every API asks all the time, with more one misses a new key and refuses good tokens.`,
    change: `nginx: proxy_pass_header Cache-Control; (and no "expires" or "add_header Cache-Control" for ${KEY_SET.path})`,
  });
}

function noTag(): Finding {
  return note({
    what: 'The key set comes without an ETag.',
    why: 'Whoever asks whether it has changed gets all of it again.',
    change: 'nginx: gzip_types without application/jwk-set+json, or whatever takes the ETag away',
  });
}

async function revalidation(visit: Visit, etag: string): Promise<Finding[]> {
  const { status } = await visit.ask({ ...KEY_SET, headers: { 'If-None-Match': etag } });
  if (status === 304) return [];
  return [
    note({
      what: `Who has the key set already is answered ${status}, not 304.`,
      why: 'Whoever asks whether it has changed gets all of it again.',
      change: 'Let the proxy pass If-None-Match on.',
    }),
  ];
}

function otherName(here: string, issuer: string): Finding {
  return note({
    what: `It calls itself ${issuer}, and was found at ${here}.`,
    why: 'APIs that are told one of the names refuse tokens with the other, and so do browsers with cookies.',
    change: `PUBLIC_URL=${here}`,
  });
}

function hasPrivatePart(key: unknown): boolean {
  return typeof key === 'object' && key !== null && PRIVATE_MEMBERS.some((name) => name in key);
}
