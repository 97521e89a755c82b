import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Eta } from 'eta';
import { brandStyle } from './brand-style.ts';
import { readLogo } from './logo.ts';

/** A file that pages refer to, under an address that changes with its content, so that it may be cached for ever. */
export interface Asset {
  readonly path: string;
  readonly href: string;
  readonly type: string;
  readonly content: Buffer;
  /** For whoever takes gzip. The pages themselves never are compressed: they show what attackers can have a part in. */
  readonly compressed: Buffer | undefined;
}

export interface Views {
  readonly assets: readonly Asset[];
  /** @returns the HTML of a template in this folder. */
  render(template: string, data: object): string;
}

/** What an operator makes of the look of the pages. */
export interface Brand {
  /** `#rrggbb` */
  readonly color: string | undefined;
  readonly logoFile: string | undefined;
}

/**
 * The pages' templates, compiled once, and their assets, read once.
 * @throws {SettingsError} when the logo cannot be used
 */
export function createViews({ color, logoFile }: Brand): Views {
  const eta = new Eta({ views: import.meta.dirname, cache: true });
  const stylesheet = style('style.css', color === undefined ? '' : brandStyle(color));
  const copy = script('copy.js');
  const inspectStyle = style('inspect.css');
  const inspectScript = script('inspect.js');
  const logo = logoFile === undefined ? COATCHECK : readLogo(logoFile);
  const icon = asset(logo.name, logo.type, logo.content);
  const { width, height } = logo;
  const assets = {
    stylesheet: stylesheet.href,
    copy: copy.href,
    inspectStyle: inspectStyle.href,
    inspectScript: inspectScript.href,
    icon: icon.href,
    iconType: icon.type,
    iconSize: { width, height },
  };
  return {
    assets: [stylesheet, copy, icon, inspectStyle, inspectScript],
    render: (template, data) => eta.render(`./${template}`, { ...data, assets }),
  };
}

const COATCHECK = {
  name: 'icon.svg',
  type: 'image/svg+xml',
  content: read('icon.svg'),
  width: 32,
  height: 32,
};

function read(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, 'assets', name));
}

/** @param more rules to stand behind those of the file */
function style(name: string, more = ''): Asset {
  return asset(name, 'text/css; charset=utf-8', squeezed(read(name).toString() + more));
}

function script(name: string): Asset {
  return asset(name, 'text/javascript; charset=utf-8', read(name));
}

/** Without comments and indentation: a sixth less on the line. No string in it has blanks that count. */
function squeezed(css: string): Buffer {
  return Buffer.from(css.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/\s+/g, ' '));
}

function asset(name: string, type: string, content: Buffer): Asset {
  const path = `/assets/${name}`;
  const compressed = gzipSync(content);
  return {
    path,
    href: `${path}?v=${hash('sha256', content).slice(0, 12)}`,
    type,
    content,
    compressed: compressed.length < content.length ? compressed : undefined,
  };
}
