import { BROWSER_MAP, OS_MAP, parse } from 'bowser';

const BROWSERS = new Set<string>(Object.values(BROWSER_MAP));
const SYSTEMS = new Set<string>(Object.values(OS_MAP));
const APPLE_MODELS = new Set(['iPhone', 'iPad']);

/**
 * A `User-Agent` in words: `Firefox on Windows`. Whoever signs in writes that header, and bowser hands on what it does
 * not know as a name: only names from its own lists get through, so that nobody writes sentences into somebody's list.
 * There is no version, since the header is that of the sign-in and browsers move on.
 */
export function deviceInWords(userAgent: string | null): string {
  if (!userAgent) return UNKNOWN_DEVICE; // bowser throws at an empty one
  const { browser, os, platform } = parse(userAgent);
  const app = known(BROWSERS, browser.name)?.replace(/ for Android$/, '');
  const system = known(APPLE_MODELS, platform.model) ?? known(SYSTEMS, os.name);
  if (system === undefined) return app ?? UNKNOWN_DEVICE;
  return `${app ?? 'Unknown app'} on ${system}`;
}

const UNKNOWN_DEVICE = 'Unknown device';

function known(names: ReadonlySet<string>, name: string | undefined): string | undefined {
  return name !== undefined && names.has(name) ? name : undefined;
}
