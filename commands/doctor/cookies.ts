import { isSecure, sessionCookieName } from '../../config/session.ts';
import type { Settings } from '../../config/settings.ts';
import { isLocalhostName } from '../../core/http.ts';
import { type Finding, note, orFine, wrong } from './finding.ts';
import { isAddress } from './networks.ts';
import type { Setup } from './setup.ts';

/** Whether browsers send the session cookie for the apps that need it, and nothing else reads it. */
export function cookies({ settings }: Setup): readonly Finding[] {
  const { publicUrl, corsOrigins, tokenCookie, session } = settings;
  const isLax = session.sameSite === 'lax';
  const elsewhere = corsOrigins.filter(
    (origin) => !maybeSameSite(new URL(publicUrl), new URL(origin)),
  );
  const findings = isLax ? elsewhere.map((origin) => leftOut(settings, origin)) : [];
  if (!isLax && elsewhere.length === 0) findings.push(needless());
  if (isSecure(settings) && tokenCookie !== undefined && !tokenCookie.startsWith('__Host-')) {
    findings.push(
      note({
        what: `The cookie ${tokenCookie} has no prefix.`,
        why: 'Any other host of the same domain can set one of that name, with the token of somebody else.',
        asvs: '3.3.3',
        change: `TOKEN_COOKIE=__Host-${tokenCookie.replace(/^__Secure-/, '')}`,
      }),
    );
  }
  const flags = [
    ...(isSecure(settings) ? ['Secure'] : []),
    'HttpOnly',
    isLax ? 'SameSite=Lax' : 'SameSite=None, Partitioned',
  ];
  const apps = corsOrigins.length > 0 ? ', which reaches every app' : '';
  return orFine(findings, `${sessionCookieName(settings)}: ${flags.join(', ')}${apps}.`);
}

function leftOut(settings: Settings, origin: string): Finding {
  const { publicUrl, corsOrigins } = settings;
  const better = underSiteOf(publicUrl, origin);
  const move = `CORS_ORIGINS=${corsOrigins.map((one) => (one === origin ? better : one)).join(',')}`;
  return wrong({
    what: `${origin} is another site than PUBLIC_URL, ${publicUrl}.`,
    why: 'Browsers leave a SameSite=Lax cookie out there: people sign in, and the app gets 401 all the same.',
    asvs: '3.3.2',
    change: isSecure(settings)
      ? `SESSION_COOKIE_SAMESITE=none\nor, with the app there: ${move}`
      : move,
  });
}

function needless(): Finding {
  return note({
    what: 'SESSION_COOKIE_SAMESITE=none, and every app seems to be on the same site.',
    why: 'Requests that other sites make browsers send carry the cookie as well: SameSite=Lax is one wall more.',
    asvs: '3.3.2',
    change: 'SESSION_COOKIE_SAMESITE=lax',
  });
}

/**
 * Two addresses are surely of different sites where their schemes differ, or the last two labels of their names. Where
 * those are the same it depends on the list of public suffixes: no alarm is better than a false one.
 */
function maybeSameSite(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && siteOf(one.hostname) === siteOf(other.hostname);
}

function siteOf(hostname: string): string {
  if (isAddress(hostname)) return hostname; // an address is a site of its own
  return isLocalhostName(hostname) ? 'localhost' : hostname.split('.').slice(-2).join('.');
}

/** Where the app would have to be: the same name under the site of this service. */
function underSiteOf(publicUrl: string, origin: string): string {
  const [here, app] = [new URL(publicUrl), new URL(origin)];
  const site = siteOf(here.hostname);
  const name =
    site === 'localhost' || isAddress(site) ? '' : `${app.hostname.split('.')[0] ?? ''}.`;
  return `${here.protocol}//${name}${site}${app.port === '' ? '' : `:${app.port}`}`;
}
