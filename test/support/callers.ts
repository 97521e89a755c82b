import type { RawHeaders } from './raw.ts';
import { RECORDED, type Scenario, SCENARIOS } from './recorded-callers.ts';

/** The origin of the service, of an app that it lists, and of a site that it does not know. */
const OWN = 'http://localhost:3000';
export const APP = 'https://app.example.org';
const EVIL = 'https://evil.example';

type Verdict = 'allowed' | 'refused';
type Caller = readonly [who: string, verdict: Verdict, headers: RawHeaders];

/** Browsers old and new, and whoever plays one, with the headers that are sent then. */
export const CALLERS: readonly Caller[] = [
  ['curl, without any of the headers', 'allowed', {}],
  ['the address bar', 'allowed', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }],
  [
    'a form of ours',
    'allowed',
    { Origin: OWN, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script of ours',
    'allowed',
    { Origin: OWN, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'a script of ours that GETs',
    'allowed',
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'our form, without a referrer',
    'allowed',
    { Origin: 'null', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script of a listed app',
    'allowed',
    { Origin: APP, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'a script of a listed app on a sister site',
    'allowed',
    { Origin: APP, 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['a listed app in an old browser', 'allowed', { Origin: APP }],
  [
    'a form elsewhere',
    'refused',
    { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script elsewhere',
    'refused',
    { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'an image elsewhere',
    'refused',
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
  ],
  ['a link elsewhere', 'refused', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }],
  [
    'a link on a sister site',
    'refused',
    { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script on a sister site',
    'refused',
    { Origin: 'https://x.localhost', 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['another site in an old browser', 'refused', { Origin: EVIL }],
  ['a sandboxed page or a data: address', 'refused', { Origin: 'null' }],
  ['the same, in a new browser', 'refused', { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }],
  ['an empty Origin', 'refused', { Origin: '' }],
  ['our host over https', 'refused', { Origin: 'https://localhost:3000' }],
  ['our host on another port', 'refused', { Origin: 'http://localhost:3001' }],
  ['a host that begins like ours', 'refused', { Origin: `${OWN}.evil.example` }],
  ['a host that begins like the listed app', 'refused', { Origin: `${APP}.evil.example` }],
  ['a host that ends like the listed app', 'refused', { Origin: 'https://evilapp.example.org' }],
  ['the listed app over http', 'refused', { Origin: 'http://app.example.org' }],
  ['an Origin with a path', 'refused', { Origin: `${APP}/` }],
  ['two Origins, one of them listed', 'refused', { Origin: [APP, EVIL] }],
  ['two Origins, one of them ours', 'refused', { Origin: [OWN, EVIL] }],
  ['two Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }],
  ['an unheard-of Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': 'SAME-ORIGIN' }],
  ['an empty Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': '' }],
];

const ORIGINS = { own: OWN, sister: 'http://localhost:3001', elsewhere: EVIL };

/** What Chromium sent from each of those places. */
function recorded({ from, what }: Scenario): Caller {
  const { origin, ...rest } = RECORDED[what] ?? {};
  const Origin = origin === undefined || origin === 'null' ? origin : ORIGINS[from];
  const verdict = from === 'own' ? 'allowed' : 'refused';
  return [`Chromium: ${what}`, verdict, { ...(Origin === undefined ? {} : { Origin }), ...rest }];
}

/** Everything that a page can make Chromium send. */
export const RECORDED_CALLERS: readonly Caller[] = SCENARIOS.map(recorded);
