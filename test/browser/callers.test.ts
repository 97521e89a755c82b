import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { openPage, startBrowser, startOtherSite } from '../support/browser.ts';
import { RECORDED, type Scenario, SCENARIOS } from '../support/recorded-callers.ts';

const TELLING = ['origin', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user'];

/** Answers anything to anybody, and keeps the headers of each request by its path. */
async function startRecorder() {
  const seen = new Map<string, IncomingHttpHeaders>();
  const server: Server = createServer((req, res) => {
    const [path = ''] = req.url?.split('?', 1) ?? [];
    if (req.method !== 'OPTIONS' && !seen.has(path)) seen.set(path, req.headers);
    res.writeHead(200, {
      'Content-Type': 'text/html',
      'Access-Control-Allow-Origin': req.headers.origin ?? '*',
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Allow-Headers': 'content-type',
    });
    res.end('<!doctype html><title>recorder</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    server,
    url: `http://localhost:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

type Site = AsyncDisposable & { readonly url: string };

describe('what a browser says of who asks', function () {
  this.timeout(120_000);
  let browser: Browser | undefined;
  let recorder: Awaited<ReturnType<typeof startRecorder>>;
  let sites: Site[] = [];
  before(async function () {
    browser = await startBrowser(this);
    recorder = await startRecorder();
    const page = '<!doctype html><title>page</title><body></body>';
    sites = [await startOtherSite('localhost', page), await startOtherSite('127.0.0.1', page)];
  });
  after(async () => {
    await browser?.close();
    for (const site of [recorder, ...sites]) await site?.[Symbol.asyncDispose]();
  });

  async function record({ from, script }: Scenario, index: number) {
    const path = `/target-${index}`;
    if (browser === undefined) throw new Error('there is no browser');
    const { page, context } = await openPage(browser);
    if (script === undefined) {
      await page.goto(recorder.url + path);
    } else {
      const home = { own: recorder.url, sister: sites[0]?.url, elsewhere: sites[1]?.url }[from];
      await page.goto(`${home ?? ''}/page`);
      // a moment later, since what navigates away would take the evaluation with it
      await page.evaluate(`setTimeout((target) => { ${script} }, 0, '${recorder.url}${path}')`);
    }
    while (!recorder.seen.has(path)) await once(recorder.server, 'request');
    await context.close();
    const headers = recorder.seen.get(path) ?? {};
    return Object.fromEntries(
      TELLING.flatMap((name) =>
        headers[name] === undefined ? [] : [[name, String(headers[name])]],
      ),
    );
  }

  for (const [index, scenario] of SCENARIOS.entries()) {
    it(`is what the matrix of callers has: ${scenario.what}`, async () => {
      const { origin, ...headers } = await record(scenario, index);
      const was = RECORDED[scenario.what];
      const kind = origin === undefined || origin === 'null' ? origin : 'its own';
      expect({ ...(kind === undefined ? {} : { origin: kind }), ...headers }).to.deep.equal(was);
    });
  }
});
