// A duty that the code quotes from a specification has a test that names the same section.

import test from 'ava';
import { joinSections, listTests, saysMust } from '../../docs/matrices.ts';
import { commentsOf, listFiles, referencesOf } from '../../docs/source_text.ts';

const sources = listFiles(['server'], /\.ts$/);

test('every section that a comment quotes with MUST is named by a test', (t) => {
  const untested = joinSections(sources, listTests()).filter(
    ({ isMandatory, tests }) => isMandatory && tests.length === 0,
  );
  t.deepEqual(
    untested.map(({ reference, code }) => `${reference} (${code.join(', ')})`),
    [],
  );
});

test('a comment that says MUST says of which section', (t) => {
  const vague = sources.flatMap(({ path, text }) =>
    commentsOf(text)
      .filter((comment) => saysMust(comment) && referencesOf(comment).length === 0)
      .map((comment) => `${path}: ${comment}`),
  );
  t.deepEqual(vague, []);
});

test('code and tests are joined by section; only a MUST makes it mandatory', (t) => {
  const code = [
    { path: 'a.ts', text: '// RFC 1 §2: no.\n' },
    { path: 'b.ts', text: '// RFC 1000 §2: it MUST be so.\n// RFC 1000 §3.\nx();\n// RFC 1000 §4\n' },
  ];
  const joined = joinSections(code, [{ path: 'c.test.ts', title: 'RFC 1000 §2: it is so' }]);
  t.deepEqual(joined, [
    {
      reference: 'RFC 1000 §2',
      code: ['b.ts'],
      tests: [{ path: 'c.test.ts', title: 'RFC 1000 §2: it is so' }],
      isMandatory: true,
    },
    { reference: 'RFC 1000 §3', code: ['b.ts'], tests: [], isMandatory: true },
    { reference: 'RFC 1000 §4', code: ['b.ts'], tests: [], isMandatory: false },
  ]);
});
