import { SKEW } from '../../tokens/key-schedule.ts';
import { type Finding, note, orFine, wrong } from './finding.ts';
import type { Stores } from './stores.ts';

/** Milliseconds that clocks may be apart: half of what the keys reckon with, and what is worth a look. */
const MOST = SKEW / 2;
const NOTICEABLE = 2000;

/** Whether the clock of this machine is that of the stores, and not behind what was written. */
export function clocks({ database, redis, keys, clock }: Stores): readonly Finding[] {
  const findings = [
    ...apart('PostgreSQL', database?.ahead),
    ...apart('Redis', redis?.ahead),
    ...(keys.some(({ state, since }) => state !== 'gone' && since > clock.now() + SKEW)
      ? [behind()]
      : []),
  ];
  const known = [database?.ahead, redis?.ahead].filter((ahead) => ahead !== undefined);
  const most = Math.max(0, ...known.map(Math.abs));
  return orFine(
    findings,
    known.length > 0
      ? `Within ${Math.ceil(most)} ms of the stores.`
      : 'The stores have no other clock.',
  );
}

function apart(store: string, ahead: number | undefined): Finding[] {
  if (ahead === undefined || Math.abs(ahead) < NOTICEABLE) return [];
  const seconds = Math.round(Math.abs(ahead) / 1000);
  const advice = {
    what: `The clock of ${store} is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} the one here.`,
    why: 'Tokens and sessions end by the clock of each process: some would end early, or late, and logs do not fit together.',
    asvs: '16.2.2',
    change: 'systemctl enable --now chrony',
  };
  return [Math.abs(ahead) > MOST ? wrong(advice) : note(advice)];
}

function behind(): Finding {
  return wrong({
    what: 'A key was made later than now, by the clock here.',
    why: 'Either this clock is behind, or it was ahead once: tokens then seem to come from the future, and are refused.',
    asvs: '16.2.2',
    change: 'systemctl enable --now chrony',
  });
}
