import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isSecure } from '../../config/session.ts';
import { isLocalhostName } from '../../core/http.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import { isAddress } from './networks.ts';
import type { Setup } from './setup.ts';

const BYPASS = join(import.meta.dirname, '..', '..', 'config', 'strategies', 'bypass.ts');

/** Whether what is for developers stays with them. */
export function mode({ settings }: Setup): readonly Finding[] {
  const { mode: name, host, publicUrl } = settings;
  const findings: Finding[] = [];
  if (name !== 'production' && !isLocalhostName(host)) {
    findings.push(
      wrong({
        what: `NODE_ENV=${name}, and HOST=${host} lets others in.`,
        why: 'Outside production nothing demands https, and cookies go without Secure.',
        asvs: '13.4.2',
        change: 'NODE_ENV=production',
      }),
    );
  } else if (name !== 'production' && !isLocalhostName(new URL(publicUrl).hostname)) {
    findings.push(
      wrong({
        what: `NODE_ENV=${name}, and PUBLIC_URL=${publicUrl} is where others come.`,
        why: 'Outside production the start refuses less: apps that CORS_ORIGINS lists with http may read tokens.',
        asvs: '13.4.2',
        change: 'NODE_ENV=production',
      }),
    );
  }
  if (settings.bypass) {
    findings.push(
      note({
        what: 'BYPASS_AUTH is on: whoever is on this machine signs in as anybody.',
        why: 'That is for development. The start in production would be refused.',
        asvs: '15.2.3',
        change: 'BYPASS_AUTH=false',
      }),
    );
  }
  if (name === 'production' && existsSync(BYPASS)) {
    findings.push(
      note({
        what: 'The code of the bypass is installed here.',
        why: 'It is not loaded in production, but what is not there cannot be switched on by anybody.',
        asvs: '15.2.3',
        change: `rm ${BYPASS}`,
      }),
    );
  }
  return orFine(findings, `NODE_ENV=${name}, without the bypass.`);
}

/** Whether browsers come by https, and keep to it. */
export function https({ settings }: Setup): readonly Finding[] {
  if (!isSecure(settings)) return [fine(`${settings.publicUrl}: http, on this machine only.`)];
  const { hostname, href } = new URL(settings.publicUrl);
  const findings = isAddress(hostname)
    ? [
        note({
          what: `PUBLIC_URL has the address ${hostname}, and no name.`,
          why: 'Browsers keep to https for names only (RFC 6797, section 8.1.1): the first request of a day may go over http.',
          asvs: '3.4.1',
          change: 'PUBLIC_URL=https://login.example.org',
        }),
      ]
    : [];
  return orFine(findings, `${href}: browsers are told to keep to https for a year.`);
}

/** Whether anybody may sign up. */
export function registration({ settings }: Setup): readonly Finding[] {
  const { registration: is, mode: name, host } = settings;
  const forAll = is === 'open' && (name === 'production' || !isLocalhostName(host));
  const findings = forAll
    ? [
        note({
          what: 'Everybody can sign up.',
          why: 'Programs sign up too, as often as the limits let them, and every API gets tokens of users whom nobody knows.',
          asvs: '2.4.1',
          change: 'REGISTRATION=closed',
        }),
      ]
    : [];
  return orFine(findings, `REGISTRATION=${is}.`);
}

/** Whether the page that takes tokens apart is there where it is not for developers. */
export function inspector({ settings }: Setup): readonly Finding[] {
  const { inspector: is, mode: name } = settings;
  const findings =
    is && name === 'production'
      ? [
          note({
            what: 'Everybody can have tokens taken apart and checked, at /inspect.',
            why: 'It is made for developers, and says of any token whether it is good still, and why not.',
            asvs: '13.4.5',
            change: 'INSPECTOR=off',
          }),
        ]
      : [];
  return orFine(findings, `The token inspector is ${is ? 'on' : 'off'}.`);
}

/** Whether the log says what happened, and not more. */
export function logLevel({ settings }: Setup): readonly Finding[] {
  const { logLevel: level, mode: name } = settings;
  const findings: Finding[] = [];
  if (['silent', 'fatal', 'error', 'warn'].includes(level)) {
    findings.push(
      note({
        what: `LOG_LEVEL=${level} leaves requests out of the log.`,
        why: 'When something has happened, nobody can say what was asked, and when.',
        asvs: '16.3.3',
        change: 'LOG_LEVEL=info',
      }),
    );
  }
  if (name === 'production' && ['debug', 'trace'].includes(level)) {
    findings.push(
      note({
        what: `LOG_LEVEL=${level} in production.`,
        why: 'It is for finding mistakes: the log grows fast, and says more of the inside than it need.',
        asvs: '13.4.2',
        change: 'LOG_LEVEL=info',
      }),
    );
  }
  return orFine(findings, `LOG_LEVEL=${level}.`);
}
