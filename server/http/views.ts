// The views as they are on disk: templates, catalogues and the style sheet, ours and what an operator lays over them
// (CAUSEWAY_VIEWS, docs/templates.md). Read and checked once, at start; every fault is found in one go.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Eta } from 'eta/core';
import { checkOverride, lineAt, type TemplateSource } from './view_checks.ts';
import { type Catalogue, checkCatalogues, readCatalogue } from './words.ts';

/** Everything that pages are rendered from, for one realm or for all that have nothing of their own. */
export type ViewSet = { eta: Eta; css: string; catalogues: ReadonlyMap<string, Catalogue> };
type Layer = { folder: string /** As shown in faults: empty for ours. */; shown: string; files: readonly string[] };

const REALMS = 'realms';
const SHEET = 'causeway.css';

/** @throws Error one message with every fault */
export function readViews(
  folder: string,
  overrides: string | null,
): { common: ViewSet; realms: ReadonlyMap<string, ViewSet> } {
  const faults: string[] = [];
  const own: Layer = { folder, shown: '', files: listFiles(folder) };
  if (overrides !== null && !(existsSync(overrides) && statSync(overrides).isDirectory()))
    throw new Error(`CAUSEWAY_VIEWS: ${overrides} is no folder. Make it, or unset the variable.`);
  const laid = overrides === null ? [] : listFiles(overrides);
  const isOfRealm = (file: string) => file.startsWith(`${REALMS}/`);
  const layers = [own];
  if (overrides !== null)
    layers.push({ folder: overrides, shown: `${overrides}/`, files: laid.filter((file) => !isOfRealm(file)) });
  const common = readSet(layers, faults);
  const slugs = [...new Set(laid.filter(isOfRealm).map((file) => file.split('/')[1] ?? ''))];
  const realms = slugs.map((slug) => {
    const prefix = `${REALMS}/${slug}/`;
    const files = laid.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
    const layer = { folder: join(overrides ?? '', prefix), shown: `${overrides}/${prefix}`, files };
    return [slug, readSet([...layers, layer], faults)] as const;
  });
  // A fault of a layer that several sets share is said once.
  const distinct = [...new Set(faults)];
  if (distinct.length > 0)
    throw new Error(`Pages cannot be built, ${distinct.length} faults:\n- ${distinct.join('\n- ')}`);
  return { common, realms: new Map(realms) };
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'))
    .sort();
}

function readSet(layers: readonly Layer[], faults: string[]): ViewSet {
  const found = layers.flatMap(({ folder, shown, files }, level) =>
    files.map((file) => ({ file, level, shown: `${shown}${file}`, text: readFileSync(join(folder, file), 'utf8') })),
  );
  const isCatalogue = (file: string) => /^locales\/[^/]+\.json$/.test(file);
  for (const { file, level, shown } of found)
    if (level > 0 && !isCatalogue(file) && !file.endsWith('.eta') && file !== SHEET)
      faults.push(`${shown}: is not read. Remove it: only *.eta, locales/*.json and ${SHEET} are laid over ours.`);
  const locales = [...new Set(found.filter(({ file }) => isCatalogue(file)).map(({ file }) => file))].sort();
  const catalogues = locales.map((name) =>
    readCatalogue(
      name.slice('locales/'.length, -'.json'.length),
      found.filter(({ file }) => file === name).map(({ shown, text }) => ({ file: shown, json: text })),
      faults,
    ),
  );
  checkCatalogues(catalogues, faults);
  const sheets = found.filter(({ file }) => file === SHEET);
  for (const { shown, text } of sheets)
    if (compactCss(text) === '' || text.includes('</')) faults.push(`${shown}: empty, or contains "</"`);
  if (sheets.length === 0) faults.push(`${SHEET}: missing`);
  const templates = new Map<string, TemplateSource>();
  for (const { file, level, shown, text } of found.filter(({ file }) => file.endsWith('.eta'))) {
    const name = file.slice(0, -'.eta'.length);
    const isOurs = level === 0;
    templates.set(name, { name, shown, text, isOurs, ours: isOurs ? text : (templates.get(name)?.ours ?? null) });
  }
  return {
    eta: compileTemplates(templates, catalogues, faults),
    css: sheets.map(({ text }) => compactCss(text)).join(''),
    catalogues: new Map(catalogues.map((catalogue) => [catalogue.locale, catalogue])),
  };
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

function compileTemplates(
  templates: ReadonlyMap<string, TemplateSource>,
  catalogues: readonly Catalogue[],
  faults: string[],
): Eta {
  const eta = new Eta({ autoEscape: true, escapeFunction: escapeHtml });
  const keys = [...new Set(catalogues.flatMap((catalogue) => [...catalogue.messages.keys()]))];
  for (const template of templates.values()) {
    const { name, shown, text } = template;
    try {
      eta.loadTemplate(`@${name}`, text);
    } catch (error) {
      const [first = '', , second = ''] = String(error).split('\n');
      faults.push(`${shown}: does not compile: ${first} ${second}`);
    }
    for (const { 1: key = '', 2: end, index } of text.matchAll(/\bit\.(?:t|has)\(\s*['"`]([^'"`$]*)(['"`]|\$\{)/g)) {
      // A key built at run time (`error.${code}.title`) is checked as far as its fixed beginning goes.
      const known = end === '${' ? keys.some((other) => other.startsWith(key)) : keys.includes(key);
      if (!known) faults.push(`${shown}:${lineAt(text, index)}: no locale has the key "${key}"`);
    }
    for (const { 1: partial = '', index } of text.matchAll(/\b(?:include|layout)\(\s*'([^']+)'/g)) {
      if (!templates.has(partial.replace(/^@/, '')))
        faults.push(`${shown}:${lineAt(text, index)}: there is no template "${partial}"`);
    }
    if (!template.isOurs) faults.push(...checkOverride(template, templates));
  }
  return eta;
}

/** HTML-escapes one value. An absent value is a mistake of the caller and never printed as the word "undefined". */
function escapeHtml(value: unknown): string {
  if (value === undefined || value === null) throw new TypeError('A template printed a value that is not there');
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
