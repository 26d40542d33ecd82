// Who may import whom, and who may touch the environment, the database and the request. Read from the source text.

import test from 'ava';
import { importsOf, listFiles, type SourceFile } from '../../docs/source_text.ts';
import { checkImport, isDoor, isStore, ORDER } from './import_rule.ts';

const files = listFiles(['server'], /\.ts$/);
const faultsOf = (find: (file: SourceFile) => readonly string[]): string[] =>
  files.flatMap((file) => find(file).map((fault) => `${file.path}: ${fault}`));
/** The text without comments, for searches of code. */
const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

test('a file imports only its own folder, the kernel and the faces of earlier folders', (t) => {
  const faults = faultsOf(({ path, text }) =>
    importsOf(text).flatMap((one) => {
      const fault = checkImport(path, one);
      return fault ? [`${one.specifier}: ${fault}`] : [];
    }),
  );
  t.deepEqual(faults, []);
  t.true(files.length > 50);
});

test('folders under server/ are flat and each has a place in the order', (t) => {
  const faults = faultsOf(({ path }) => {
    const [, folder = '', ...rest] = path.split('/');
    return rest.length > 1 || (rest.length === 1 && !ORDER.includes(folder)) ? ['is in no folder of the order'] : [];
  });
  t.deepEqual(faults, []);
});

test('a dynamic import names its module as a literal', (t) => {
  // The starter of PostgreSQL is in a package whose file layout only that package's own address tells.
  const exempt = ['server/db/embedded.ts'];
  const faults = faultsOf(({ path, text }) =>
    /\bimport\(\s*[^\s')]/.test(codeOf(text)) && !exempt.includes(path) ? ['imports what cannot be read here'] : [],
  );
  t.deepEqual(faults, []);
});

test('only config.ts reads the environment', (t) => {
  const reads = /\bprocess\.env\b|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b|from 'node:process'/;
  t.deepEqual(
    faultsOf(({ path, text }) => (path !== 'server/config.ts' && reads.test(codeOf(text)) ? ['process.env'] : [])),
    [],
  );
});

/** Outside the stores, these hold the query builder in their hands, each for a reason. */
const BUILDER_HOLDERS = [
  // Asks which migrations are pending; no table of a feature is touched.
  'server/commands/context.ts',
];
const SQL = /['"`(]\s*(?:select\s+[\w('*"]|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\()/i;

test('SQL is written in store.ts and db/ alone', (t) => {
  const outside = files.filter(({ path }) => !isStore(path) && !path.startsWith('server/db/'));
  const faults = outside.flatMap(({ path, text }) => {
    const code = codeOf(text);
    if (SQL.test(code)) return [`${path}: SQL text`];
    return /\bbuilder\b/.test(code) && !BUILDER_HOLDERS.includes(path) ? [`${path}: the query builder`] : [];
  });
  t.deepEqual(faults, []);
  for (const path of BUILDER_HOLDERS)
    t.regex(files.find((file) => file.path === path)?.text ?? '', /\bbuilder\b/, `${path} is no exception any more`);
});

test('the request (ctx) is seen by routes, middleware, http/ and app.ts alone', (t) => {
  const faults = faultsOf(({ path, text }) => {
    const maySee = isDoor(path) || path.startsWith('server/http/') || path === 'server/app.ts';
    return !maySee && /\bctx\b/.test(codeOf(text)) ? ['ctx'] : [];
  });
  t.deepEqual(faults, []);
});

const JUDGED: [path: string, specifier: string, isTypeOnly: boolean, isRight: boolean][] = [
  ['server/login/login.ts', '../accounts/accounts.ts', false, true],
  ['server/login/login.ts', '../accounts/store.ts', true, false],
  ['server/login/login.ts', '../oauth/oauth.ts', true, false],
  ['server/login/login.ts', '../sessions/middleware.ts', false, false],
  ['server/login/routes.ts', '../sessions/middleware.ts', false, true],
  ['server/bridgekeeper/user_routes.ts', '../sessions/middleware.ts', false, true],
  ['server/login/login.ts', '../config.ts', true, true],
  ['server/login/login.ts', '../config.ts', false, false],
  ['server/login/login.ts', '../services.ts', true, false],
  ['server/login/login.ts', '../../docs/generate.ts', false, false],
  ['server/login/login.ts', '../db/database.ts', true, true],
  ['server/login/login.ts', '../db/database.ts', false, false],
  ['server/login/store.ts', '../db/database.ts', false, true],
  ['server/lib/url.ts', '../http/errors.ts', true, false],
  ['server/db/jobs.ts', '../lib/log.ts', false, true],
  ['server/login/login.ts', './device', false, false],
  ['server/login/login.ts', '../helpers/helpers.ts', false, false],
  ['server/config.ts', './db/database.ts', true, false],
  ['server/app.ts', './login/routes.ts', false, true],
];
for (const [path, specifier, isTypeOnly, isRight] of JUDGED) {
  test(`the rule ${isRight ? 'permits' : 'refuses'} ${isTypeOnly ? 'a type' : 'a value'} of ${specifier} in ${path}`, (t) => {
    t.is(checkImport(path, { specifier, isTypeOnly }) === null, isRight);
  });
}
