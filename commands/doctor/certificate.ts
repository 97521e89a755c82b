import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Settings } from '../../config/settings.ts';
import { DAY } from '../../core/clock.ts';
import { readTls } from '../tls.ts';
import { reasonOf } from './examine.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import type { Setup } from './setup.ts';

/** Days that are left when it is time to renew, and when it is late. */
const SOON = 30;
const LATE = 7;

/** Browsers take no certificate of a public authority that lasts longer, in days. */
const LONGEST = 398;

const LEAST_RSA_BITS = 2048;

/** Whether the certificate of the settings fits its key and the name, and for how long. */
export function certificate({ settings, clock }: Setup): readonly Finding[] {
  const { tls, publicUrl, trustProxy } = settings;
  if (tls === undefined) return [fine('No certificate here: TLS ends at the proxy, or nowhere.')];
  const cert = read(tls);
  if (!(cert instanceof X509Certificate)) return [cert];
  const { hostname } = new URL(publicUrl);
  const now = clock.now();
  const line = `TLS_CERT_FILE=${tls.certFile}`;
  const findings = [
    ...lifetimeFindings(cert, now, line),
    ...(trustProxy.length > 0 ? [] : nameFindings(cert, hostname, line)), // only the proxy sees it
  ];
  return orFine(findings, `For ${hostname}, until ${dayOf(cert.validToDate)}.`);
}

/** As a start reads it. @returns what is wrong where that fails */
function read(files: NonNullable<Settings['tls']>): X509Certificate | Finding {
  try {
    return new X509Certificate(readTls(files).cert);
  } catch (error) {
    return wrong({
      what: reasonOf(error),
      why: 'The start is refused, and a service that runs goes on with the certificate that it has.',
      change: 'TLS_CERT_FILE=<a certificate, PEM>\nTLS_KEY_FILE=<the key that belongs to it, PEM>',
    });
  }
}

/** For how long a certificate is good, and how strong. @param change where it is from, for the line to change */
export function lifetimeFindings(cert: X509Certificate, now: number, change: string): Finding[] {
  const [from, to] = [cert.validFromDate.getTime(), cert.validToDate.getTime()];
  return [
    ...validity(from, to, now).map(({ verdict, what }) => ({
      verdict,
      what,
      why: 'Browsers and APIs refuse a certificate outside its time, and nobody can sign in.',
      change: `${change} (a new one)`,
    })),
    ...(isWeak(cert) ? [weakKey(change)] : []),
  ];
}

/** For whom it is, and who says so. @param change as above */
export function nameFindings(cert: X509Certificate, hostname: string, change: string): Finding[] {
  return [
    ...(fits(cert, hostname) ? [] : [otherName(cert, hostname, change)]),
    ...(cert.checkIssued(cert) ? [selfSigned(change)] : []),
  ];
}

function validity(from: number, to: number, now: number): Pick<Finding, 'verdict' | 'what'>[] {
  const days = Math.floor((to - now) / DAY);
  if (now < from)
    return [{ verdict: 'wrong', what: `The certificate begins on ${dayOf(new Date(from))} only.` }];
  if (now > to)
    return [{ verdict: 'wrong', what: `The certificate ended on ${dayOf(new Date(to))}.` }];
  if (days < SOON) {
    const what = `The certificate ends in ${days} days, on ${dayOf(new Date(to))}.`;
    return [{ verdict: days < LATE ? 'wrong' : 'note', what }];
  }
  return (to - from) / DAY > LONGEST
    ? [{ verdict: 'note', what: `The certificate lasts more than ${LONGEST} days.` }]
    : [];
}

function fits(cert: X509Certificate, hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return (isIP(bare) === 0 ? cert.checkHost(bare) : cert.checkIP(bare)) !== undefined;
}

function otherName(cert: X509Certificate, hostname: string, change: string): Finding {
  return wrong({
    what: `The certificate is not for ${hostname}, but for ${cert.subjectAltName ?? cert.subject}.`,
    why: 'Browsers and APIs refuse it.',
    change: `${change} (one for ${hostname})`,
  });
}

function selfSigned(change: string): Finding {
  return note({
    what: 'The certificate has signed itself.',
    why: 'Browsers warn of it, and people learn to click warnings away; APIs have to be told to trust it.',
    asvs: '12.2.2',
    change: `${change} (one of a public authority)`,
  });
}

function weakKey(change: string): Finding {
  return wrong({
    what: `The key of the certificate has less than ${LEAST_RSA_BITS} bits.`,
    why: 'Such keys are within reach of those who can pay for it.',
    asvs: '11.2.3',
    change: `${change} (with an EC key)`,
  });
}

function isWeak({ publicKey }: X509Certificate): boolean {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  return bits !== undefined && bits < LEAST_RSA_BITS;
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
