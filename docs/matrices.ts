// Two pages from comments and test titles: which test covers which numbered security check, and which section of which
// specification is in which code and which test.

import {
  commentsOf,
  compareNatural,
  listFiles,
  referencesOf,
  type SourceFile,
  securityNumbersOf,
  testTitlesOf,
} from './source_text.ts';
import { table } from './tables.ts';

export type TitledTest = { path: string; title: string };
export type Section = { reference: string; code: string[]; tests: TitledTest[]; isMandatory: boolean };

/** The numbers of the security checks that concern what is built: all but administration, webhooks and the console (172 to 179). */
const CHECKS = [
  { from: 1, to: 171 },
  { from: 180, to: 208 },
] as const;

/** Every test of the repository with its title. */
export function listTests(): TitledTest[] {
  return listFiles(['test'], /\.test\.ts$/).flatMap(({ path, text }) =>
    testTitlesOf(text).map((title) => ({ path, title })),
  );
}

/** Joins code and tests by the sections that both name. A section is mandatory when a comment says MUST beside it. */
export function joinSections(sources: readonly SourceFile[], tests: readonly TitledTest[]): Section[] {
  const sections = new Map<string, Section>();
  const sectionOf = (reference: string): Section => {
    const section = sections.get(reference) ?? { reference, code: [], tests: [], isMandatory: false };
    sections.set(reference, section);
    return section;
  };
  for (const { path, text } of sources) {
    for (const reference of referencesOf(text)) sectionOf(reference).code.push(path);
    for (const comment of commentsOf(text).filter(saysMust)) {
      for (const reference of referencesOf(comment)) sectionOf(reference).isMandatory = true;
    }
  }
  for (const test of tests) for (const reference of referencesOf(test.title)) sectionOf(reference).tests.push(test);
  return [...sections.values()].sort((a, b) => compareNatural(a.reference, b.reference));
}

/** Whether a comment speaks of a duty that a specification lays on us. */
export function saysMust(comment: string): boolean {
  return /\bMUST\b/.test(comment);
}

export function specificationsPage(): string {
  const sections = joinSections(listFiles(['server'], /\.ts$/), listTests());
  const rows = sections.map(({ reference, code, tests, isMandatory }) => [
    isMandatory ? `**${reference}**` : reference,
    code.map((path) => `\`${path}\``).join('<br>'),
    tests.map(showTest).join('<br>'),
  ]);
  return [
    'Which section of which specification stands in which code, and which test names it. Sections in bold are ones where the',
    'code quotes a MUST; each of these has a test.',
    '',
    table(['Section', 'Code', 'Tests'], rows),
  ].join('\n');
}

export function securityMatrixPage(): string {
  const byNumber = new Map<number, TitledTest[]>();
  for (const test of listTests()) {
    for (const number of securityNumbersOf(test.title)) byNumber.set(number, [...(byNumber.get(number) ?? []), test]);
  }
  const rows = [...byNumber]
    .sort(([a], [b]) => a - b)
    .map(([number, tests]) => [String(number), tests.map(showTest).join('<br>')]);
  const wanted = CHECKS.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
  const missing = wanted.filter((number) => !byNumber.has(number));
  const ranges = CHECKS.map(({ from, to }) => `${from} to ${to}`).join(' and ');
  return [
    'Tests whose titles begin with `security N` cover check N of the list of security checks that the work follows. Checks 172 to',
    '179 (administration, webhooks, console) are counted once these are built; some of them are covered already.',
    '',
    table(['Check', 'Tests'], rows),
    '',
    `## Of the checks ${ranges}, not covered by a test of that title`,
    '',
    missing.length === 0 ? 'None: all are covered.' : `${missing.length} not covered: ${missing.join(', ')}.`,
  ].join('\n');
}

function showTest({ path, title }: TitledTest): string {
  return `${title.replaceAll('<', '&lt;')} (\`${path}\`)`;
}
