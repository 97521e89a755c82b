/** A way in which a page makes a browser send a request to the service. */
export interface Scenario {
  /** In words, unique. */
  readonly what: string;
  /** Whose page it is: the service's, one of another origin of the same site, or one of another site. */
  readonly from: 'own' | 'sister' | 'elsewhere';
  /** Run in that page; `target` is the address to be asked. Left out: the address is typed. */
  readonly script?: string;
}

const element = (name: string, attributes: string) =>
  `document.body.append(Object.assign(document.createElement('${name}'), ${attributes}))`;
const link = 'location.href = target';
const form = (attributes: string) => `{
  const form = Object.assign(document.createElement('form'), { action: target, ${attributes} });
  document.body.append(form);
  form.submit();
}`;
const fetching = (options: string) =>
  `fetch(target, { credentials: 'include', ${options} }).catch(() => undefined)`;

/** From each of the three places. */
const ANYWHERE: readonly [string, string][] = [
  ['a link', link],
  ['a form that GETs', form("method: 'get'")],
  ['a form that POSTs', form("method: 'post'")],
  ['a script that GETs', fetching("method: 'GET'")],
  [
    'a script that POSTs JSON',
    fetching("method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' }"),
  ],
  [
    'a script that POSTs text and does not ask for the answer',
    fetching("method: 'POST', mode: 'no-cors', body: '{}'"),
  ],
  ['a beacon', "navigator.sendBeacon(target, '{}')"],
  ['an image', element('img', '{ src: target }')],
  ['a script element', element('script', '{ src: target }')],
  ['a style sheet', element('link', "{ rel: 'stylesheet', href: target }")],
  ['a frame', element('iframe', '{ src: target }')],
  ['a window', 'window.open(target)'],
];

const ONLY_ELSEWHERE: readonly [string, string][] = [
  [
    'a form in a sandboxed frame',
    `document.body.append(Object.assign(document.createElement('iframe'), { sandbox: 'allow-forms allow-scripts',
      srcdoc: '<form method="post" action="' + target + '"></form><script>document.forms[0].submit()</script>' }))`,
  ],
  [
    'a form of a page without a referrer',
    `document.head.insertAdjacentHTML('beforeend', '<meta name="referrer" content="no-referrer">'); ${form("method: 'post'")}`,
  ],
  [
    'a page that refreshes to it',
    `document.head.insertAdjacentHTML('beforeend', '<meta http-equiv="refresh" content="0;url=' + target + '">')`,
  ],
];

const PLACES = { own: 'of ours', sister: 'on another port', elsewhere: 'elsewhere' } as const;

export const SCENARIOS: readonly Scenario[] = [
  { what: 'the address bar', from: 'own' },
  ...(['own', 'sister', 'elsewhere'] as const).flatMap((from) =>
    [...ANYWHERE, ...(from === 'elsewhere' ? ONLY_ELSEWHERE : [])].map(([what, script]) => ({
      what: `${what} ${PLACES[from]}`,
      from,
      script,
    })),
  ),
];

/** The headers by which a server can tell, as Chromium 156 sent them; that of the origin says whether there was one. */
export const RECORDED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'the address bar': {
    'sec-fetch-site': 'none',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a link of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that GETs of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that POSTs of ours': {
    origin: 'its own',
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a script that GETs of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs JSON of ours': {
    origin: 'its own',
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs text and does not ask for the answer of ours': {
    origin: 'its own',
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'a beacon of ours': {
    origin: 'its own',
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'an image of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'image',
  },
  'a script element of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'script',
  },
  'a style sheet of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'style',
  },
  'a frame of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'iframe',
    'sec-fetch-user': '?1',
  },
  'a window of ours': {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a link on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that GETs on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that POSTs on another port': {
    origin: 'its own',
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a script that GETs on another port': {
    origin: 'its own',
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs JSON on another port': {
    origin: 'its own',
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs text and does not ask for the answer on another port': {
    origin: 'its own',
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'a beacon on another port': {
    origin: 'its own',
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'an image on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'image',
  },
  'a script element on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'script',
  },
  'a style sheet on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'style',
  },
  'a frame on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'iframe',
    'sec-fetch-user': '?1',
  },
  'a window on another port': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a link elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that GETs elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form that POSTs elsewhere': {
    origin: 'its own',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a script that GETs elsewhere': {
    origin: 'its own',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs JSON elsewhere': {
    origin: 'its own',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
  },
  'a script that POSTs text and does not ask for the answer elsewhere': {
    origin: 'its own',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'a beacon elsewhere': {
    origin: 'its own',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'empty',
  },
  'an image elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'image',
  },
  'a script element elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'script',
  },
  'a style sheet elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'style',
  },
  'a frame elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'iframe',
    'sec-fetch-user': '?1',
  },
  'a window elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a form in a sandboxed frame elsewhere': {
    origin: 'null',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'iframe',
  },
  'a form of a page without a referrer elsewhere': {
    origin: 'null',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
  'a page that refreshes to it elsewhere': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  },
};
