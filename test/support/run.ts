// Runs the tests: brings up one PostgreSQL for the whole run (TEST_DATABASE_URL, or the embedded one, without fsync), makes
// the migrated template that every test file clones, then starts ava with the given patterns.
//   npm test                              everything
//   npm test -- test/oauth/*.test.ts      some files
//   node test/support/run.ts --script deploy/try_proxies.ts     a script that needs the same database

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../server/db/embedded.ts';
import { dropTemplate, prepareTemplate } from './template.ts';

const FAST = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
  'shared_buffers=256MB',
  'max_connections=400',
];

/** Every test file is a process of its own: what one has compiled of the 2000 modules of a server, the next need not. */
const COMPILED = join(import.meta.dirname, '../../node_modules/.cache/compiled');
/** Test files that run at once. Two on a small machine; more than four would want more connections than PostgreSQL has. */
const LANES = Math.min(4, Math.max(2, availableParallelism()));

async function main(): Promise<number> {
  const given = process.env['TEST_DATABASE_URL'];
  const folder = given ? null : join(tmpdir(), `causeway-test-${randomBytes(6).toString('hex')}`);
  const embedded = folder ? await openEmbedded({ folder, mayAdopt: true, flags: FAST }) : null;
  const url = given ?? embedded?.url ?? '';
  const template = await prepareTemplate(url);
  try {
    return await runAva({ TEST_DATABASE_URL: url, TEST_TEMPLATE: template });
  } finally {
    await dropTemplate(url, template);
    await embedded?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

function runAva(variables: Record<string, string>): Promise<number> {
  const [first, ...rest] = process.argv.slice(2);
  const ava = join(import.meta.dirname, '../../node_modules/ava/entrypoints/cli.mjs');
  const what = first === '--script' ? rest : [ava, '--concurrency', String(LANES), ...process.argv.slice(2)];
  const child = spawn(process.execPath, what, {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...variables },
  });
  // ava ends its test files, and they their browsers, at this signal alone.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGINT'));
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

process.exitCode = await main();
