// How pages and messages look: one brand, and from its accent every colour that text and edges need to be readable.
// Specs: WCAG 2.2 §1.4.3 (text contrast), §1.4.11 (edges of controls).

/** How a realm or client looks. `logo` is a data: URI (png, svg or webp, base64); colours are `#rrggbb`. */
export type Brand = {
  readonly name: string;
  readonly logo: string | null;
  readonly accent: string;
  readonly accentDark: string | null;
};

/** The surfaces of views/causeway.css on which links have the least contrast: the light page, the dark card. */
export const SURFACES = { light: '#f5f4f1', dark: '#1c1e22' } as const;

const COLOUR = /^#[0-9a-f]{6}$/i;
const LOGO = /^data:image\/(?:png|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}$/;

/** Says what is wrong with a brand, in words for whoever configures it; an empty list when all is well. */
export function checkBrand(brand: Brand): string[] {
  const problems: string[] = [];
  if (!COLOUR.test(brand.accent)) problems.push('accent must be a colour like #1a5fb4');
  if (brand.accentDark !== null && !COLOUR.test(brand.accentDark))
    problems.push('accentDark must be a colour like #99c1f1');
  if (brand.logo !== null && !LOGO.test(brand.logo))
    problems.push('logo must be a base64 data: URI of a png, webp or svg');
  return problems;
}

export type Scheme = { accent: string; text: string; hover: string; edge: string; link: string };

/** The colours of a brand on light and dark surfaces. @throws TypeError for a brand that does not pass checkBrand: they go into style sheets unescaped */
export function schemesOf(brand: Brand): { light: Scheme; dark: Scheme } {
  const problems = checkBrand(brand);
  if (problems.length > 0) throw new TypeError(`Brand refused: ${problems.join('; ')}`);
  return {
    light: schemeOn(brand.accent, SURFACES.light),
    dark: schemeOn(brand.accentDark ?? brand.accent, SURFACES.dark),
  };
}

function schemeOn(accent: string, surface: string): Scheme {
  const text = textColourOn(accent);
  return {
    accent,
    text,
    // Hovering moves the button away from its text, so the contrast of the two only grows.
    hover: mix(accent, text === '#ffffff' ? '#000000' : '#ffffff', 0.14),
    edge: withContrast(accent, surface, 3),
    link: withContrast(accent, surface, 4.5),
  };
}

/** The colours as variables of the style sheet. */
export function presentBrandCss(brand: Brand): string {
  const { light, dark } = schemesOf(brand);
  return `:root{${presentScheme(light)}}@media (prefers-color-scheme:dark){:root{${presentScheme(dark)}}}`;
}

function presentScheme({ accent, text, hover, edge, link }: Scheme): string {
  return `--accent:${accent};--accent-text:${text};--accent-hover:${hover};--accent-edge:${edge};--link:${link}`;
}

/** WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1 to 21. */
export function contrastRatio(one: string, other: string): number {
  const [lighter, darker] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

/** White where it reads well (4.5:1), else black, which then always does. */
export function textColourOn(background: string): '#ffffff' | '#000000' {
  return contrastRatio('#ffffff', background) >= 4.5 ? '#ffffff' : '#000000';
}

/** The colour itself, or the nearest mix with black or white (whichever the surface is far from) that reaches the ratio. */
export function withContrast(colour: string, surface: string, ratio: number): string {
  const far = contrastRatio('#000000', surface) > contrastRatio('#ffffff', surface) ? '#000000' : '#ffffff';
  const shares = Array.from({ length: 26 }, (_, step) => step / 25);
  const share = shares.find((candidate) => contrastRatio(mix(colour, far, candidate), surface) >= ratio) ?? 1;
  return mix(colour, far, share);
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

function mix(colour: string, other: string, share: number): string {
  const target = channels(other);
  const mixed = channels(colour).map((value, index) => Math.round(value + ((target[index] ?? 0) - value) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

function luminance(colour: string): number {
  const linear = channels(colour)
    .map((value) => value / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
}
