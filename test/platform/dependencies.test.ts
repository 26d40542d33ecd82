import { readFileSync } from 'node:fs';
import test from 'ava';

type Lock = {
  packages: Record<string, { version?: string; resolved?: string; integrity?: string; dev?: boolean; link?: boolean }>;
};
const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

/** The least versions without a known hole, and why. */
const LEAST: Record<string, string> = {
  koa: '3.1.2', // CVE-2026-27959
  '@koa/router': '15.0.0', // CVE-2026-9495
  '@koa/cors': '5.0.0',
  nodemailer: '7.0.11', // CVE-2025-13033, CVE-2025-14874
  jose: '6.0.0',
  qs: '6.14.1', // CVE-2025-15284
  'raw-body': '3.0.0',
  cookie: '0.7.0', // CVE-2024-47764
  pg: '8.20.0',
  knex: '3.0.0',
  node: '24.14.0', // CVE-2026-21710
};
const NODE_LEAST = '24.14.0';

function isAtLeast(version: string, least: string): boolean {
  const [have, need] = [version, least].map((text) => text.split('-')[0]?.split('.').map(Number) as number[]);
  for (const index of [0, 1, 2]) {
    const difference = (have?.[index] ?? 0) - (need?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

const locked = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

test('security 197: no locked package is older than the first version without a known hole', (t) => {
  for (const [path, { version = '0' }] of locked) {
    const least = LEAST[nameOf(path)];
    if (least) t.true(isAtLeast(version, least), `${path} ${version} < ${least}`);
  }
  for (const name of ['koa', '@koa/router', 'jose', 'pg', 'knex', 'node'])
    t.true(
      locked.some(([path]) => nameOf(path) === name),
      name,
    );
});

test('security 197: tests and development run on a Node without CVE-2026-21710', (t) => {
  t.true(isAtLeast(process.versions.node, NODE_LEAST), process.version);
});

test('security 197: versions compare by number and not by letter', (t) => {
  t.true(isAtLeast('10.0.0', '9.9.9'));
  t.true(isAtLeast('3.1.2', '3.1.2'));
  t.false(isAtLeast('3.1.1', '3.1.2'));
  t.false(isAtLeast('15.0.0', '15.0.1'));
});

test('security 197: every locked package has an integrity hash', (t) => {
  for (const [path, { integrity }] of locked) t.regex(integrity ?? '', /^sha512-/, path);
});
