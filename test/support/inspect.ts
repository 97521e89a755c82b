import { expect } from 'chai';
import type { TestApp } from './app.ts';
import type { Client } from './client.ts';

/** What the page of the inspector says, entities decoded and tags taken out. */
export interface InspectorPage {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  readonly verdict: string;
  readonly reasons: readonly string[];
  readonly remarks: readonly string[];
}

/** Sends the form of the inspector as a browser does. */
export async function inspect(
  client: Client,
  fields: Record<string, string>,
): Promise<InspectorPage> {
  const response = await client.submit('/inspect', fields);
  const html = await response.text();
  const texts = (pattern: RegExp) =>
    Array.from(html.matchAll(pattern), ([, text = '']) => plain(text));
  return {
    status: response.status,
    headers: response.headers,
    html,
    verdict: texts(/<h2 id="verdict"[^>]*>(.*?)<\/h2>/gs)[0] ?? '',
    reasons: (/<ul class="reasons">(.*?)<\/ul>/s.exec(html)?.[1] ?? '')
      .split('<li>')
      .slice(1)
      .map(plain),
    remarks: texts(/<p class="remark">(.*?)<\/p>/gs),
  };
}

/** Expects one verdict for a token, with these beginnings of reasons in that order, and no others. */
export async function expectReasons(
  app: TestApp,
  token: string,
  reasons: readonly RegExp[],
  audience = '',
): Promise<InspectorPage> {
  const page = await inspect(app.client(), { token, audience });
  expect(page.status).to.equal(200);
  expect(page.reasons, JSON.stringify(page.reasons)).to.have.length(reasons.length);
  for (const [index, pattern] of reasons.entries()) expect(page.reasons[index]).to.match(pattern);
  expect(page.verdict).to.include(reasons.length === 0 ? '✓ Valid' : '✗ Not valid');
  return page;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
};

export function plain(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
