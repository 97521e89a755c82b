import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Eta } from 'eta';

/** A file that pages refer to, under an address that changes with its content, so that it may be cached for ever. */
export interface Asset {
  readonly path: string;
  readonly href: string;
  readonly type: string;
  readonly content: Buffer;
}

export interface Views {
  readonly assets: readonly Asset[];
  /** @returns the HTML of a template in this folder. */
  render(template: string, data: object): string;
}

/** The pages' templates, compiled once, and their assets, read once. */
export function createViews(): Views {
  const eta = new Eta({ views: import.meta.dirname, cache: true });
  const stylesheet = asset('style.css', 'text/css; charset=utf-8');
  const icon = asset('icon.svg', 'image/svg+xml');
  return {
    assets: [stylesheet, icon],
    render: (template, data) =>
      eta.render(`./${template}`, {
        ...data,
        assets: { stylesheet: stylesheet.href, icon: icon.href },
      }),
  };
}

function asset(name: string, type: string): Asset {
  const content = readFileSync(join(import.meta.dirname, 'assets', name));
  const path = `/assets/${name}`;
  return { path, href: `${path}?v=${hash('sha256', content).slice(0, 12)}`, type, content };
}
