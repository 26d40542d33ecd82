/*
 * Hosted pages: Eta templates (escaped by default), words from ICU catalogues, one brand per request, one strict CSP per page.
 * Everything under the views folder is read, compiled and cross-checked once at start; rendering touches no disk.
 * Specs: CSP Level 3 (nonce, form-action), WCAG 2.2 §1.4.3 (text contrast), §1.4.11 (edges of controls), BCP 47 / RFC 4647 §3.4 (lookup).
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Eta } from 'eta/core';
import { IntlMessageFormat } from 'intl-messageformat';
import type { PageScriptUrls } from './page_scripts.ts';

/** How a realm looks. `logo` is a data: URI (png, svg or webp, base64); colours are `#rrggbb`. */
export type Brand = {
  readonly name: string;
  readonly logo: string | null;
  readonly accent: string;
  readonly accentDark: string | null;
};

export type PageRequest = {
  /** Template path without its ending, e.g. `login/sign_in`. */
  readonly view: string;
  /** One of `pages.locales`. */
  readonly locale: string;
  readonly brand: Brand;
  readonly data: object;
  /** Origins that the redirect chain after a form post may reach (security.md 65). */
  readonly formTargets?: readonly string[];
  /** Whether the template has a script of its own, under the page's nonce (the self-submitting form of form_post). */
  readonly hasScript?: boolean;
};

export type RenderedPage = { readonly html: string; readonly contentSecurityPolicy: string };
/** The words of one language, for what is no page: messages. */
export type Words = {
  readonly locale: string;
  readonly dir: Direction;
  /** @throws Error for a key that no locale has */
  t(key: string, values?: Values): string;
  has(key: string): boolean;
};
export type Wish = { readonly uiLocales?: string; readonly accepted: readonly string[]; readonly fallback: string };
export type Pages = ReturnType<typeof createPages>;

type Direction = 'ltr' | 'rtl';
type Values = Record<string, string | number>;
type Catalogue = { locale: string; direction: Direction; messages: Map<string, IntlMessageFormat> };
type Elements = ReturnType<IntlMessageFormat['getAst']>;

/** The surfaces of views/causeway.css on which links have the least contrast: the light page, the dark card. */
export const SURFACES = { light: '#f5f4f1', dark: '#1c1e22' } as const;

const COLOUR = /^#[0-9a-f]{6}$/i;
const LOGO = /^data:image\/(?:png|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}$/;
const RIGHT_TO_LEFT_LETTER = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/**
 * Reads, compiles and checks all templates (`**\/*.eta`), catalogues (`locales/*.json`) and `causeway.css`.
 * @param options scripts: addresses of the scripts that the layout loads where a page has a use for them; absent: none
 * @throws Error one message with every fault: template that does not compile, word that some locale lacks, unknown partial
 */
export function createPages(options: { readonly viewsFolder: string; readonly scripts?: PageScriptUrls }) {
  const { eta, css, catalogues } = readViews(options.viewsFolder);
  const byLocale = new Map(catalogues.map((catalogue) => [catalogue.locale, catalogue]));
  const locales = [...byLocale.keys()];

  /** @throws Error for a locale that is none of `locales` */
  function words(locale: string): Words {
    const catalogue = byLocale.get(locale);
    if (catalogue === undefined) throw new Error(`No catalogue for the locale "${locale}"`);
    return {
      locale: catalogue.locale,
      dir: catalogue.direction,
      t: (key, values = {}) => translate(catalogue, key, values),
      has: (key) => catalogue.messages.has(key),
    };
  }

  /** Renders one page with a nonce of its own. @throws Error for an unknown view or locale, a brand or form target that is not what it should be */
  function render(request: PageRequest): RenderedPage {
    const nonce = randomBytes(16).toString('base64url');
    const html = eta.render(`@${request.view}`, {
      ...request.data,
      ...words(request.locale),
      brand: request.brand,
      nonce,
      scripts: options.scripts ?? null,
      css,
      brandCss: presentBrandCss(request.brand),
      href: safeHref,
      host: (url: string) => (URL.canParse(url) ? new URL(url).host : url),
    });
    const hasScript = request.hasScript === true || html.includes(`<script nonce="${nonce}"`);
    return { html, contentSecurityPolicy: presentPolicy(nonce, request.formTargets ?? [], hasScript) };
  }

  /** Renders a template that is no page: without sheet, nonce and policy. The values are escaped as everywhere. */
  const compose = (view: string, data: object): string => eta.render(`@${view}`, data);

  return { render, compose, words, locales, negotiate: (wish: Wish) => negotiate(locales, wish) };
}

// ------------------------------------------------------------------------------------------------ templates

function readViews(folder: string): { eta: Eta; css: string; catalogues: Catalogue[] } {
  const faults: string[] = [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  const catalogues = files
    .filter((file) => /^locales[\\/][^\\/]+\.json$/.test(file))
    .map((file) => readCatalogue(file.slice('locales/'.length, -'.json'.length), read(file), faults));
  const sources = files.filter((file) => file.endsWith('.eta')).map((file) => [nameOf(file), read(file)] as const);
  const css = files.includes('causeway.css') ? compactCss(read('causeway.css')) : '';
  if (css === '' || css.includes('</')) faults.push('causeway.css: missing, empty, or contains "</"');
  checkCatalogues(catalogues, faults);
  const eta = compileTemplates(new Map(sources), catalogues, faults);
  if (faults.length > 0) throw new Error(`Pages cannot be built, ${faults.length} faults:\n- ${faults.join('\n- ')}`);
  return { eta, css, catalogues };
}

function nameOf(file: string): string {
  return file.slice(0, -'.eta'.length).replaceAll('\\', '/');
}

/** Drops comments and the white space between tokens: the sheet travels with every page. */
function compactCss(css: string): string {
  const plain = css.replace(/\/\*[\s\S]*?\*\//g, '');
  return plain
    .replace(/\s*([{};,])\s*/g, '$1')
    .replace(/\s+/g, ' ')
    .replaceAll(';}', '}')
    .trim();
}

function compileTemplates(templates: ReadonlyMap<string, string>, catalogues: Catalogue[], faults: string[]): Eta {
  const eta = new Eta({ autoEscape: true, escapeFunction: escapeHtml });
  const keys = [...new Set(catalogues.flatMap((catalogue) => [...catalogue.messages.keys()]))];
  for (const [name, source] of templates) {
    try {
      eta.loadTemplate(`@${name}`, source);
    } catch (error) {
      faults.push(
        `${name}.eta: does not compile: ${String(error).split('\n')[0]} ${String(error).split('\n')[2] ?? ''}`,
      );
    }
    for (const [, key = '', end] of source.matchAll(/\bit\.(?:t|has)\(\s*['"`]([^'"`$]*)(['"`]|\$\{)/g)) {
      // A key built at run time (`error.${code}.title`) is checked as far as its fixed beginning goes.
      const known = end === '${' ? keys.some((other) => other.startsWith(key)) : keys.includes(key);
      if (!known) faults.push(`${name}.eta: no locale has the key "${key}"`);
    }
    for (const [, partial = ''] of source.matchAll(/\b(?:include|layout)\(\s*'([^']+)'/g)) {
      if (!templates.has(partial.replace(/^@/, ''))) faults.push(`${name}.eta: there is no template "${partial}"`);
    }
  }
  return eta;
}

/** HTML-escapes one value. An absent value is a mistake of the caller and never printed as the word "undefined". */
function escapeHtml(value: unknown): string {
  if (value === undefined || value === null) throw new TypeError('A template printed a value that is not there');
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

/** Only http(s) and paths of this host become links: escaping alone would let `javascript:` through. */
function safeHref(url: string): string {
  // Judged by the parser that browsers use: it drops tabs and line ends inside `java\nscript:`.
  const base = 'http://this-host.invalid';
  const parsed = URL.canParse(url, base) ? new URL(url, base) : null;
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? url : '#';
}

/** @throws TypeError for a form target that is not an origin: it would otherwise be written into the header as it is */
function presentPolicy(nonce: string, formTargets: readonly string[], hasScript: boolean): string {
  for (const target of formTargets) {
    const isOrigin =
      URL.canParse(target) && /^https?:$/.test(new URL(target).protocol) && new URL(target).origin === target;
    if (!isOrigin) throw new TypeError(`Not an origin: ${JSON.stringify(target)}`);
  }
  const action = ["'self'", ...new Set(formTargets)].join(' ');
  const script = hasScript ? ` script-src 'nonce-${nonce}';` : '';
  return `default-src 'none';${script} style-src 'nonce-${nonce}'; img-src data:; form-action ${action}; base-uri 'none'; frame-ancestors 'none'`;
}

// ------------------------------------------------------------------------------------------------ words

function readCatalogue(locale: string, json: string, faults: string[]): Catalogue {
  const messages = new Map<string, IntlMessageFormat>();
  let direction: Direction = 'ltr';
  try {
    const { direction: stated, ...groups } = JSON.parse(json) as Record<string, unknown>;
    if (stated === 'rtl' || stated === 'ltr') direction = stated;
    else faults.push(`locales/${locale}.json: "direction" must be "ltr" or "rtl"`);
    for (const [key, text] of flatten(groups, '')) {
      try {
        messages.set(key, new IntlMessageFormat(text, locale, undefined, { ignoreTag: true }));
      } catch (error) {
        faults.push(`locales/${locale}.json: "${key}" is not a message: ${(error as Error).message}`);
      }
    }
  } catch (error) {
    faults.push(`locales/${locale}.json: ${(error as Error).message}`);
  }
  return { locale, direction, messages };
}

function flatten(node: unknown, path: string): [string, string][] {
  if (typeof node !== 'object' || node === null) return [[path, String(node)]];
  return Object.entries(node).flatMap(([key, child]) => flatten(child, path === '' ? key : `${path}.${key}`));
}

/** Every locale has every key, and each message takes the same values in all locales. */
function checkCatalogues(catalogues: readonly Catalogue[], faults: string[]): void {
  if (catalogues.length === 0) faults.push('locales: there is no catalogue');
  const reference = new Map<string, { locale: string; wants: string }>();
  for (const { locale, messages } of catalogues) {
    for (const [key, message] of messages) {
      const wants = [...new Set(argumentsOf(message.getAst()))].sort().join(', ');
      const first = reference.get(key);
      if (first === undefined) reference.set(key, { locale, wants });
      else if (first.wants !== wants)
        faults.push(`locales/${locale}.json: "${key}" takes {${wants}}, but {${first.wants}} in ${first.locale}`);
    }
  }
  for (const { locale, messages } of catalogues)
    for (const key of reference.keys())
      if (!messages.has(key)) faults.push(`locales/${locale}.json: the key "${key}" is missing`);
}

function argumentsOf(elements: Elements): string[] {
  return elements.flatMap((element) => {
    if (!('value' in element) || element.type === 0) return [];
    const branches = 'options' in element ? Object.values(element.options) : [];
    return [element.value, ...branches.flatMap((branch) => argumentsOf(branch.value))];
  });
}

function translate(catalogue: Catalogue, key: string, values: Values): string {
  const message = catalogue.messages.get(key);
  if (message === undefined) throw new Error(`The locale "${catalogue.locale}" has no key "${key}"`);
  const isolated = Object.entries(values).map(([name, value]) => [name, isolate(value, catalogue.direction)]);
  return String(message.format(Object.fromEntries(isolated)));
}

/** A name written the other way round gets its own bidi paragraph (UAX #9 FSI … PDI), lest it reorder the sentence around it. */
function isolate(value: string | number, direction: Direction): string | number {
  const needsIsolation = typeof value === 'string' && (direction === 'rtl' || RIGHT_TO_LEFT_LETTER.test(value));
  return needsIsolation ? `\u2068${value}\u2069` : value;
}

/** RFC 4647 §3.4 lookup per wish, `ui_locales` before Accept-Language; a bare language also finds its regional catalogue. */
function negotiate(locales: readonly string[], wish: Wish): string {
  // 20: more wishes than any browser sends; bounds the work that a query parameter can ask for.
  const wanted = [...(wish.uiLocales ?? '').slice(0, 500).split(/\s+/), ...wish.accepted].filter(Boolean).slice(0, 20);
  const find = (tag: string) => locales.find((locale) => locale.toLowerCase() === tag);
  for (const range of wanted) {
    const subtags = range.toLowerCase().split('-');
    for (let length = subtags.length; length > 0; length--) {
      const found = find(subtags.slice(0, length).join('-'));
      if (found !== undefined) return found;
    }
    const sibling = locales.find((locale) => locale.toLowerCase().split('-')[0] === subtags[0]);
    if (sibling !== undefined) return sibling;
  }
  return find(wish.fallback.toLowerCase()) ?? locales[0] ?? wish.fallback;
}

// ------------------------------------------------------------------------------------------------ brand and contrast

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

function presentBrandCss(brand: Brand): string {
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
