import { join } from 'node:path';
import { schema } from '../../config/settings-schema.ts';
import { DAY } from '../../core/clock.ts';
import { modesOf } from './files.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import type { Machine } from './machine.ts';
import { misspelt } from './misspelt.ts';
import { isOlder, NODE_ENDS } from './versions.ts';

/** Days before the end of a release that it is time to move on. */
const SOON = 90;

/** Whether this Node still gets fixes. */
export function node({ nodeVersion, clock }: Machine): readonly Finding[] {
  const major = Number.parseInt(nodeVersion, 10);
  const end = NODE_ENDS[major];
  if (end === undefined)
    return [fine(`Node ${nodeVersion}; until when it gets fixes is not known here.`)];
  const days = Math.ceil((Date.parse(end) - clock.now()) / DAY);
  const advice = {
    why: 'A hole that is found in Node after that stays open.',
    asvs: '15.2.1',
    change: `Install the newest Node with an even number; the repository brings ${newest(clock.now())} or later with npm ci.`,
  };
  if (days <= 0) {
    return [wrong({ what: `Node ${major} has had no fixes since ${end}.`, ...advice })];
  }
  return days < SOON
    ? [note({ what: `Node ${major} gets fixes until ${end} only.`, ...advice })]
    : [fine(`Node ${nodeVersion} gets fixes until ${end}.`)];
}

/** The even one that lasts longest of those that are out for sure. */
function newest(now: number): number {
  const majors = Object.keys(NODE_ENDS).map(Number);
  return majors.find((major) => major % 2 === 0 && Date.parse(NODE_ENDS[major] ?? '') > now) ?? 24;
}

/** Whether the libraries are those that the code was written for, without the holes that are known. */
export function libraries({ packages }: Machine): readonly Finding[] {
  const findings = packages
    .filter(({ version, atLeast }) => isOlder(version, atLeast))
    .map(({ name, version, atLeast, hole }) => {
      const what = `${name} is ${version ?? 'not installed'}, and at least ${atLeast} is needed.`;
      const why =
        hole === undefined
          ? 'It is older than what the code was written and tested with.'
          : `An older one ${hole}.`;
      return wrong({ what, why, asvs: '15.2.1', change: 'npm ci --omit=dev --ignore-scripts' });
    });
  return orFine(findings, `${packages.length} libraries, none older than it may be.`);
}

/** Whether a name looks like that of a setting, and is none. */
export function settingNames({ names }: Machine): readonly Finding[] {
  const findings = misspelt(names, Object.keys(schema)).map(({ name, meant }) =>
    note({
      what: `${name} is no setting. ${meant} is.`,
      why: 'What is set under another name has no effect, and nobody is told at start.',
      change: `${meant}=<the value of ${name}>`,
    }),
  );
  return orFine(findings, 'No name that looks like a misspelt setting.');
}

/** Whether others on this machine can read the secrets in `.env`. */
export function envFile({ directory }: Machine): readonly Finding[] {
  return modesOf([join(directory, '.env')]);
}
