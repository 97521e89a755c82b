import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { brandStyle, contrast, parse, SURFACES } from '../../views/brand-style.ts';

const stylesheet = readFileSync('views/assets/style.css', 'utf8');
const hex = fc.integer({ min: 0, max: 0xffffff }).map((value) => {
  return `#${value.toString(16).padStart(6, '0')}`;
});

/** The custom properties of a style sheet, with those for dark over those for light. */
function valuesOf(css: string, scheme: 'light' | 'dark'): Map<string, string> {
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  const text = scheme === 'light' ? light : `${light}${dark.split('\n}\n')[0] ?? ''}`;
  return new Map(
    [...text.matchAll(/--([\w-]+): ([^;]+);/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** Text and what it stands on. */
const TEXT = [
  ['accent', 'paper'],
  ['accent', 'counter'],
  ['accent', 'stock'],
  ['accent-strong', 'paper'],
  ['accent-strong', 'counter'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-strong'],
  ['on-stub', 'stub'],
  ['on-stock-soft', 'stock'],
  ['ink', 'stock'],
  ['part-header', 'stock'],
  ['part-payload', 'stock'],
  ['part-signature', 'stock'],
  ['ink', 'paper'],
  ['ink-soft', 'paper'],
  ['ink-soft', 'counter'],
  ['bad', 'bad-paper'],
  ['good', 'good-paper'],
  ['on-banner', 'banner'],
] as const;

describe('the colours of the pages', () => {
  for (const scheme of ['light', 'dark'] as const) {
    const own = valuesOf(stylesheet, scheme);

    function ratio(values: ReadonlyMap<string, string>, [text, ground]: readonly [string, string]) {
      const colour = (name: string): string => {
        const value = values.get(name) ?? own.get(name) ?? '';
        const other = /^var\(--([\w-]+)\)$/.exec(value)?.[1];
        return other === undefined ? value : colour(other);
      };
      return contrast(parse(colour(text)), parse(colour(ground)));
    }

    it(`can be read in ${scheme}`, () => {
      for (const pair of TEXT) expect(ratio(own, pair), pair.join(' on ')).to.be.at.least(4.5);
    });

    it(`can be read in ${scheme}, whatever BRAND_COLOR is`, () => {
      fc.assert(
        fc.property(hex, (colour) => {
          const values = valuesOf(brandStyle(colour), scheme);
          for (const pair of TEXT)
            expect(ratio(values, pair), pair.join(' on ')).to.be.at.least(4.5);
        }),
        {
          numRuns: 500,
          examples: [['#000000'], ['#ffffff'], ['#808080'], ['#ffff00'], ['#0000ff']],
        },
      );
    });

    it(`are those in ${scheme} that shades of BRAND_COLOR are made for`, () => {
      for (const [name, value] of Object.entries(SURFACES[scheme]))
        expect(own.get(name)).to.equal(value);
    });
  }

  it('are left alone by a BRAND_COLOR that can be read as it is', () => {
    expect(valuesOf(brandStyle('#0a5d4f'), 'light').get('accent')).to.equal('#0a5d4f');
    expect(valuesOf(brandStyle('#0a5d4f'), 'light').get('stub')).to.equal('#0a5d4f');
  });
});
