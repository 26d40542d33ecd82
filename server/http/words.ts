// The words of pages and messages: ICU catalogues (views/locales), checked against each other at start, and which language a
// reader gets. Specs: BCP 47, RFC 4647 §3.4 (lookup), UAX #9 (isolation of names written the other way round).

import { LazyMessage as IntlMessageFormat } from '../lib/lazy_message.ts';

/** The words of one language. */
export type Words = {
  readonly locale: string;
  readonly dir: Direction;
  /** @throws Error for a key that no locale has */
  t(key: string, values?: Values): string;
  has(key: string): boolean;
};
/** What is known of the language that a reader wants, the strongest wish first. */
export type Wish = {
  /** OpenID Connect Core §3.1.2.1: tags in order of preference, separated by spaces. */
  readonly uiLocales?: string;
  /** What the reader chose in this browser before. */
  readonly chosen?: string | null;
  /** From Accept-Language, in its order. */
  readonly accepted: readonly string[];
  /** Of the realm. */
  readonly fallback: string;
  /** Languages that the realm offers; all that there are, if none is named. */
  readonly offered?: readonly string[];
};
export type Direction = 'ltr' | 'rtl';
export type Values = Record<string, string | number>;
export type Catalogue = { locale: string; direction: Direction; messages: Map<string, Message> };
type Elements = ReturnType<IntlMessageFormat['getAst']>;
type Message = { format(values: Values): unknown; getAst(): Elements };
/** One catalogue file: ours, or an operator's that is laid over it. */
export type CatalogueFile = { file: string; json: string };

// More than any browser sends; bounds the work that a query parameter can ask for.
const MOST_WISHES = 20;
const RIGHT_TO_LEFT_LETTER = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** The catalogue of one locale from its files; later files override and add. */
export function readCatalogue(locale: string, files: readonly CatalogueFile[], faults: string[]): Catalogue {
  const messages = new Map<string, Message>();
  let direction: Direction | null = null;
  for (const { file, json } of files) {
    try {
      const { direction: stated, ...groups } = JSON.parse(json) as Record<string, unknown>;
      if (stated === 'rtl' || stated === 'ltr') direction = stated;
      else if (direction === null || stated !== undefined) faults.push(`${file}: "direction" must be "ltr" or "rtl"`);
      for (const [key, text] of flatten(groups, '')) {
        try {
          messages.set(key, readMessage(text, locale));
        } catch (error) {
          faults.push(`${file}: "${key}" is not a message: ${(error as Error).message}`);
        }
      }
    } catch (error) {
      faults.push(`${file}: ${(error as Error).message}`);
    }
  }
  return { locale, direction: direction ?? 'ltr', messages };
}

/** Four of five messages are nothing but words. They need no parser, which would take the longest part of a start. */
function readMessage(text: string, locale: string): Message {
  if (/[{}']/.test(text)) return new IntlMessageFormat(text, locale, undefined, { ignoreTag: true });
  return { getAst: () => [], format: () => text };
}

function flatten(node: unknown, path: string): [string, string][] {
  if (typeof node !== 'object' || node === null) return [[path, String(node)]];
  return Object.entries(node).flatMap(([key, child]) => flatten(child, path === '' ? key : `${path}.${key}`));
}

/** Every locale has every key, and each message takes the same values in all locales. */
export function checkCatalogues(catalogues: readonly Catalogue[], faults: string[]): void {
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

/** Names of the values by which a message chooses its words. */
function selectorsOf(elements: Elements): string[] {
  return elements.flatMap((element) => {
    if (!('options' in element)) return [];
    return [element.value, ...Object.values(element.options).flatMap((option) => selectorsOf(option.value))];
  });
}

/** One message in one language. @throws Error for a key that the locale does not have */
export function translate(catalogue: Catalogue, key: string, values: Values): string {
  const message = catalogue.messages.get(key);
  if (message === undefined) throw new Error(`The locale "${catalogue.locale}" has no key "${key}"`);
  // A value that chooses between branches is compared as it is.
  const selectors = selectorsOf(message.getAst());
  const isolated = Object.entries(values).map(([name, value]) => [
    name,
    selectors.includes(name) ? value : isolate(value, catalogue.direction),
  ]);
  return String(message.format(Object.fromEntries(isolated)));
}

/** A name written the other way round gets its own bidi paragraph (UAX #9 FSI … PDI), lest it reorder the sentence around it. */
function isolate(value: string | number, direction: Direction): string | number {
  const needsIsolation = typeof value === 'string' && (direction === 'rtl' || RIGHT_TO_LEFT_LETTER.test(value));
  return needsIsolation ? `\u2068${value}\u2069` : value;
}

/**
 * RFC 4647 §3.4 lookup per wish: `ui_locales`, then the reader's own choice, then Accept-Language, then the realm's language. A
 * bare language also finds its regional catalogue. What the realm does not offer is never found.
 */
export function negotiate(locales: readonly string[], wish: Wish): string {
  const available = listOffered(locales, wish.offered ?? []);
  const asked = findAsked(available, wish.uiLocales ?? '');
  const wanted = [wish.chosen ?? '', ...wish.accepted.slice(0, MOST_WISHES), wish.fallback];
  // English is what most can make something of where nothing that is wanted is there.
  return asked ?? findFirst(available, [...wanted, 'en']) ?? available[0] ?? wish.fallback;
}

/** The first of these tags (separated by spaces) that there is; null when there is none of them. */
export function findAsked(available: readonly string[], uiLocales: string): string | null {
  return findFirst(available, uiLocales.slice(0, 500).split(/\s+/).slice(0, MOST_WISHES));
}

function findFirst(available: readonly string[], wanted: readonly string[]): string | null {
  for (const range of wanted.filter(Boolean)) {
    const found = findLocale(available, range);
    if (found !== null) return found;
  }
  return null;
}

/** The languages that a realm offers, in its order; all if it names none that there is. */
export function listOffered(locales: readonly string[], offered: readonly string[]): readonly string[] {
  const found = offered.map((tag) => findLocale(locales, tag)).filter((locale) => locale !== null);
  return found.length > 0 ? [...new Set(found)] : locales;
}

function findLocale(locales: readonly string[], range: string): string | null {
  const find = (tag: string) => locales.find((locale) => locale.toLowerCase() === tag);
  const subtags = range.toLowerCase().split('-');
  for (let length = subtags.length; length > 0; length--) {
    const found = find(subtags.slice(0, length).join('-'));
    if (found !== undefined) return found;
  }
  return locales.find((locale) => locale.toLowerCase().split('-')[0] === subtags[0]) ?? null;
}
