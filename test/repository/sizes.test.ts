// Files stay of a size that one reads in one go: past these limits a file is divided by subject.

import test from 'ava';
import { listFiles } from '../../docs/source_text.ts';

const LONGEST_SOURCE = 350;
const LONGEST_TEST = 500;
const LONGEST_README = 60;

const tooLong = (folders: readonly string[], ending: RegExp, most: number): string[] =>
  listFiles(folders, ending)
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > most)
    .map(({ path, lines }) => `${path}: ${lines} lines`);

test(`a source file has at most ${LONGEST_SOURCE} lines`, (t) => {
  t.deepEqual(tooLong(['server', 'migrations', 'sdk', 'demo', 'deploy', 'docs'], /\.ts$/, LONGEST_SOURCE), []);
});

test(`a test file has at most ${LONGEST_TEST} lines`, (t) => {
  t.deepEqual(tooLong(['test'], /\.ts$/, LONGEST_TEST), []);
});

test(`the README of a feature has at most ${LONGEST_README} lines`, (t) => {
  t.deepEqual(tooLong(['server'], /^README\.md$/, LONGEST_README), []);
});

test('every feature has a face or doors, under the names of the grammar', (t) => {
  const kernel = ['lib', 'db', 'http'];
  const paths = listFiles(['server'], /\.ts$/).map(({ path }) => path);
  const folders = new Set(
    paths
      .map((path) => path.split('/'))
      .flatMap(([, folder, file]) => (folder && file && !kernel.includes(folder) ? [folder] : [])),
  );
  const isFeature = (folder: string) =>
    paths.some(
      (path) =>
        path === `server/${folder}/${folder}.ts` || new RegExp(`^server/${folder}/(\\w+_)?routes\\.ts$`).test(path),
    );
  t.deepEqual(
    [...folders].filter((folder) => !isFeature(folder) && folder !== 'commands'),
    [],
  );
});
