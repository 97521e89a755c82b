/** Red, green and blue, 0 to 255. */
type Colour = readonly [number, number, number];

const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];

/** The surfaces of style.css that text in the accent stands on: paper, and the counter below it. */
export const SURFACES = {
  light: { paper: '#ffffff', counter: '#eceff3' },
  dark: { paper: '#1c222d', counter: '#12161e' },
} as const;

/** Contrast of text (WCAG 2.2, 1.4.3), and a little more, since colours are rounded. */
const ENOUGH = 4.6;

/**
 * `BRAND_COLOR` as custom properties, to stand behind style.css. The colour itself fills the stub of the ticket; buttons
 * and links get the nearest shade of it that can be read, in light and in dark.
 *
 * @param hex `#rrggbb`
 */
export function brandStyle(hex: string): string {
  return `
:root {
${properties(hex, 'light')}
}

@media (prefers-color-scheme: dark) {
  :root {
${properties(hex, 'dark')}
  }
}
`;
}

function properties(hex: string, scheme: keyof typeof SURFACES): string {
  const brand = parse(hex);
  const [paper, counter] = [parse(SURFACES[scheme].paper), parse(SURFACES[scheme].counter)];
  const end = scheme === 'light' ? BLACK : WHITE;
  const stock = mix(paper, brand, 0.1);
  const accent = readable(brand, end, [paper, counter, stock]);
  const values = {
    accent,
    'accent-strong': mix(accent, end, 0.25),
    'on-accent': scheme === 'light' ? paper : counter,
    stub: brand,
    'on-stub': contrast(brand, BLACK) > contrast(brand, WHITE) ? BLACK : WHITE,
    stock,
    perforation: accent,
  };
  const lines = Object.entries(values).map(([name, colour]) => `--${name}: ${hexOf(colour)};`);
  return [...lines, '--on-stock-soft: var(--ink-soft);'].map((line) => `  ${line}`).join('\n');
}

/** The first shade on the way from a colour to black or white that can be read on all those surfaces. */
function readable(colour: Colour, end: Colour, surfaces: readonly Colour[]): Colour {
  for (let share = 0; share < 1; share += 0.02) {
    const shade = mix(colour, end, share);
    if (surfaces.every((surface) => contrast(shade, surface) >= ENOUGH)) return shade;
  }
  return end;
}

function mix(from: Colour, to: Colour, share: number): Colour {
  const part = (index: 0 | 1 | 2) => Math.round(from[index] + (to[index] - from[index]) * share);
  return [part(0), part(1), part(2)];
}

/** The contrast ratio of WCAG 2.2, from 1 to 21. */
export function contrast(one: Colour, other: Colour): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** Relative luminance, by WCAG 2.2. */
function luminance(colour: Colour): number {
  const linear = (channel: number) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const [red, green, blue] = colour;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** The colour of `#rrggbb`. */
export function parse(hex: string): Colour {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 0xff, value & 0xff];
}

function hexOf([red, green, blue]: Colour): string {
  return `#${((red << 16) | (green << 8) | blue).toString(16).padStart(6, '0')}`;
}
