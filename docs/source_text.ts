// What the repository's own text says about itself: files, imports, comments, test titles, references to specifications.
// Small parsers over text, good for this repository's style alone; test/repository/source_text.test.ts shows their limits.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');

export type SourceFile = { path: string; text: string };
export type Import = { specifier: string; isTypeOnly: boolean };

/** The files below some folders of the repository whose names end so, sorted; `path` is relative to the repository. */
export function listFiles(folders: readonly string[], ending: RegExp): SourceFile[] {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && ending.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1)),
  );
  return paths
    .filter((path) => !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readText(path) }));
}

/** The text of a file of the repository. */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Every import and re-export of a module, in the order: static, for side effects, dynamic. */
export function importsOf(text: string): Import[] {
  const fixed = [...text.matchAll(/^(?:import|export)\s+([\w\s{},*$]*?)\s*from\s+'([^']+)'/gm)].map(
    ([, clause = '', specifier = '']) => ({ specifier, isTypeOnly: isTypeClause(clause) }),
  );
  const bare = [...text.matchAll(/^import\s+'([^']+)'/gm)].map(([, specifier = '']) => ({
    specifier,
    isTypeOnly: false,
  }));
  const dynamic = [...text.matchAll(/(typeof\s+)?\bimport\(\s*'([^']+)'/g)].map(([, isType, specifier = '']) => ({
    specifier,
    isTypeOnly: isType !== undefined,
  }));
  return [...fixed, ...bare, ...dynamic];
}

function isTypeClause(clause: string): boolean {
  if (/^type\b/.test(clause)) return true;
  const names = /^\{([^}]*)\}$/.exec(clause)?.[1]?.split(',') ?? [];
  const written = names.map((name) => name.trim()).filter((name) => name !== '');
  return written.length > 0 && written.every((name) => name.startsWith('type '));
}

/** The comments of a source text: a run of `//` lines is one comment, as is a block; markers are taken off. */
export function commentsOf(text: string): string[] {
  const blocks = [...text.matchAll(/\/\*\*?([\s\S]*?)\*\//g)].map(([, inner = '']) => inner.replace(/^\s*\*/gm, ''));
  const runs: string[][] = [];
  let isRun = false;
  for (const line of text.split('\n')) {
    const whole = /^\s*\/\/(.*)$/.exec(line)?.[1];
    // Behind code only after a closing sign, so that `https://` in a text is none.
    const trailing = /[;,{}\])]\s+\/\/ (.*)$/.exec(line)?.[1];
    if (whole !== undefined && isRun) runs.at(-1)?.push(whole);
    else if (whole !== undefined || trailing !== undefined) runs.push([whole ?? trailing ?? '']);
    isRun = whole !== undefined;
  }
  return [...blocks, ...runs.map((run) => run.join(' '))].map((comment) => comment.replace(/\s+/g, ' ').trim());
}

const LITERAL = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/;
const TEST_CALL = new RegExp(`(?<![\\w.$'"\`])test(?:\\.serial)?\\(\\s*(?:${LITERAL.source}|[\\w$.]+\\s*,)`, 'g');
const REFERENCED_TITLE = /^(?:security|reliability|RFC|OpenID|OIDC) /;

/**
 * The titles of the tests of a file that ava runs; skipped, failing and planned ones are none. Of a title made in a loop, the part before the first
 * `${` counts. A title that is a variable comes from a table: then every literal of the file that begins like a
 * reference (`security 3: …`, `RFC 6749 §4.1: …`) counts.
 */
export function testTitlesOf(text: string): string[] {
  const code = text.replace(/^\s*\/\/.*$/gm, '');
  const titles = new Set<string>();
  let isTable = false;
  for (const call of code.matchAll(TEST_CALL)) {
    const title = literalOf(call);
    if (title === null || title === '…') isTable = true;
    else titles.add(title);
  }
  if (isTable) {
    for (const found of code.matchAll(new RegExp(LITERAL, 'g'))) {
      const title = literalOf(found);
      if (title && REFERENCED_TITLE.test(title)) titles.add(title);
    }
  }
  return [...titles];
}

function literalOf([, single, double, template]: RegExpMatchArray): string | null {
  const plain = single ?? double;
  if (plain !== undefined) return plain.replace(/\\(.)/g, '$1');
  if (template === undefined) return null;
  const cut = template.indexOf('${');
  return cut < 0 ? template : `${template.slice(0, cut).trimEnd()}…`;
}

const REFERENCE =
  /\b(RFC \d{3,5}|(?:OpenID Connect|OIDC)(?: [A-Z][A-Za-z-]*)+) (§\d+(?:\.\d+)*(?:(?:, | and | to )§\d+(?:\.\d+)*)*)/g;

/** The sections of specifications that a text names, `RFC 6749 §4.1.2`; `OIDC Core` is `OpenID Connect Core`. */
export function referencesOf(text: string): string[] {
  const found = [...text.matchAll(REFERENCE)].flatMap(([, document = '', sections = '']) =>
    [...sections.matchAll(/§\d+(?:\.\d+)*/g)].map(
      ([section]) => `${document.replace(/^OIDC/, 'OpenID Connect')} ${section}`,
    ),
  );
  return [...new Set(found)];
}

/**
 * The numbers at the head of a title: `security 12, 21: …` gives 12 and 21, and so it does before or behind other
 * references (`security 98, RFC 6749 §2.3: …`, `reliability R-6, security 198: …`).
 */
export function securityNumbersOf(title: string): number[] {
  const head =
    /^(?:reliability(?: R-\d+,)+ )?security ((?:\d+)(?:(?:, | and )\d+)*)(?:[:…]|, (?=[A-Z]|reliability ))/.exec(
      title,
    )?.[1];
  return head?.match(/\d+/g)?.map(Number) ?? [];
}

/** Orders `RFC 900 §2` before `RFC 6749 §4.1.10`: numbers by value, words by letter. */
export function compareNatural(a: string, b: string): number {
  return COLLATOR.compare(a, b);
}

const COLLATOR = new Intl.Collator('en', { numeric: true });
