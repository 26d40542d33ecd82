// The small parsers of docs/source_text.ts: what they find, and what they must not take for a find.

import test from 'ava';
import { commentsOf, importsOf, referencesOf, securityNumbersOf, testTitlesOf } from '../../docs/source_text.ts';

test('imports are found in every form, and types are told from values', (t) => {
  const text = [
    "import type { A } from './a.ts';",
    "import { type B, type C } from './b.ts';",
    'import {\n  type D,\n  e,\n} from "./double.ts";',
    "import {\n  type D,\n  e,\n} from './d.ts';",
    "import * as store from './store.ts';",
    "export { f } from './f.ts';",
    "import './effect.ts';",
    "const g = await import('./g.ts');",
    "type H = typeof import('./h.ts');",
    'const no = "from \'./no.ts\'";',
  ].join('\n');
  t.deepEqual(importsOf(text), [
    { specifier: './a.ts', isTypeOnly: true },
    { specifier: './b.ts', isTypeOnly: true },
    { specifier: './d.ts', isTypeOnly: false },
    { specifier: './store.ts', isTypeOnly: false },
    { specifier: './f.ts', isTypeOnly: false },
    { specifier: './effect.ts', isTypeOnly: false },
    { specifier: './g.ts', isTypeOnly: false },
    { specifier: './h.ts', isTypeOnly: true },
  ]);
});

test('lines of one comment belong together; an address in a text is no comment', (t) => {
  const text = "// one\n//  two\nconst a = 'https://x.example';\nrun(); // three\n/** four\n * five */\n";
  t.deepEqual(commentsOf(text), ['four five', 'one two', 'three']);
});

test('titles are read from calls; skipped tests and comments are none', (t) => {
  const text = [
    "test('one: it\\'s so', (t) => {",
    'test.serial(\n  "two", async (t) => {',
    "test.skip('no', (t) => {",
    "test.failing('no', (t) => {",
    "test.todo('no');",
    "// test('no', (t) => {",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text that is read
    'test(`three ${x}`, (t) => {',
  ].join('\n');
  t.deepEqual(testTitlesOf(text), ["one: it's so", 'two', 'three…']);
});

test('titles in a table are found by the reference that they begin with', (t) => {
  // In two parts, so that this file is not taken for a test of that check.
  const title = `${'security'} 3: a`;
  t.deepEqual(
    testTitlesOf(
      `const cases = [['${title}', 1], ['not a title', 2]];\nfor (const [title] of cases) test(title, (t) => {`,
    ),
    [title],
  );
  t.deepEqual(testTitlesOf(`const a = '${title}';\ntest('b', (t) => {`), ['b']);
});

test('references name a document and its sections', (t) => {
  t.deepEqual(
    referencesOf('RFC 6749 §4.1.2, §5.2 and §10.12; RFC 9700 §4.11. OIDC Core §3.1.2.1 and OpenID Connect Core §8'),
    [
      'RFC 6749 §4.1.2',
      'RFC 6749 §5.2',
      'RFC 6749 §10.12',
      'RFC 9700 §4.11',
      'OpenID Connect Core §3.1.2.1',
      'OpenID Connect Core §8',
    ],
  );
  t.deepEqual(referencesOf('WHATWG HTML §9.2, RFC 6749 and §3 alone'), []);
});

test('security numbers stand at the head of a title', (t) => {
  t.deepEqual(securityNumbersOf('security 12, 21 and 33: refused'), [12, 21, 33]);
  t.deepEqual(securityNumbersOf('security 7: 12 tries'), [7]);
  t.deepEqual(securityNumbersOf('security 98, 99, RFC 6749 §2.3: refused'), [98, 99]);
  t.deepEqual(securityNumbersOf('a page says security 7: yes'), []);
});
