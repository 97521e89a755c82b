import { SECRET_ADVICE } from '../../config/secrets.ts';
import { DAY, isoTime } from '../../core/clock.ts';
import { durationInWords } from '../../core/durations.ts';
import { RECOMMENDED_BITS } from '../../tokens/key-strength.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import { isShared, type KeyState, type Stores } from './stores.ts';

/** A shared secret that is older should be replaced, in days. */
const OLD_SECRET = 365;

/** How long after its time a key may be replaced: the service may have been stopped for a while. */
const LATENESS = DAY;

/** Whether the keys can be used, are as strong as they should be, and are replaced in time. */
export function signingKeys({ keys, clock }: Stores): readonly Finding[] {
  if (keys.length === 0)
    return [fine('No keys yet: the service makes the first one at its start.')];
  const [now, live] = [clock.now(), keys.filter(({ state }) => state !== 'gone')];
  const findings = [
    ...live.flatMap((key) => [...unusable(key), ...small(key)]),
    ...live.filter((key) => isOverdue(key, now)).map(overdue),
    ...live.filter((key) => isOld(key, now)).map((key) => oldSecret(key, now)),
    ...(keys.some(({ previous, state }) => previous && state === 'gone') ? [useless()] : []),
  ];
  return orFine(findings, live.map(inWords).join('; '));
}

function unusable({ kid, state, fault }: KeyState): Finding[] {
  if (fault === undefined) return [];
  return [
    (state === 'retired' ? note : wrong)({
      what: `The key ${kid}, which is ${state}, cannot sign: ${fault}`,
      why:
        state === 'retired'
          ? 'Its tokens verify on until they expire, but it cannot be used again.'
          : 'The next start is refused.',
      change: fault.includes('KEY_ENCRYPTION_SECRET')
        ? 'KEY_ENCRYPTION_SECRET=<the present list>,<the earlier secret>'
        : 'coatcheck key list',
    }),
  ];
}

function small({ kid, bits }: KeyState): Finding[] {
  if (bits === undefined || bits >= RECOMMENDED_BITS) return [];
  return [
    note({
      what: `The key ${kid} has ${bits} bits.`,
      why: `RSA needs ${RECOMMENDED_BITS} to be as strong as the rest.`,
      asvs: '11.2.3',
      change: 'coatcheck key rotate',
    }),
  ];
}

/** Whether the next key should have been published long ago. */
function isOverdue({ state, successorAt }: KeyState, now: number): boolean {
  return state === 'signing' && successorAt !== undefined && now > successorAt + LATENESS;
}

function overdue({ kid, since }: KeyState): Finding {
  return wrong({
    what: `The key ${kid} has signed since ${isoTime(since)}, and no other one is published.`,
    why: 'Keys are replaced by the service while it runs: it has not run since, or it cannot write.',
    asvs: '13.3.4',
    change: 'coatcheck key rotate',
  });
}

function isOld(key: KeyState, now: number): boolean {
  return isShared(key) && key.state === 'signing' && now - key.since > OLD_SECRET * DAY;
}

function oldSecret({ since }: KeyState, now: number): Finding {
  const days = Math.floor((now - since) / DAY);
  return note({
    what: `JWT_SECRET_KEY has signed for ${durationInWords(days * 86_400)}.`,
    why: 'Every API that ever had it, and every backup of one, can still make tokens.',
    asvs: '13.3.4',
    change: `JWT_SECRET_KEY=<a new one>, and the present one in front of JWT_SECRET_KEY_PREVIOUS; ${SECRET_ADVICE}`,
  });
}

function useless(): Finding {
  return note({
    what: 'JWT_SECRET_KEY_PREVIOUS has a secret whose last token has expired.',
    why: 'It is of no use any more, and could only be lost.',
    asvs: '13.3.4',
    change: 'JWT_SECRET_KEY_PREVIOUS=<without it>',
  });
}

function inWords({ kid, algorithm, state, since }: KeyState): string {
  return `${kid} (${algorithm}) is ${state} since ${isoTime(since).slice(0, 10)}`;
}
