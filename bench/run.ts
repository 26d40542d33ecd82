// `npm run bench [-- NAME …]`: measures promises at the running server, over a PostgreSQL with durable settings of its own. What
// is measured goes to the screen and to docs/; nothing here passes or fails by time.

import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../server/db/embedded.ts';
import { migrate } from '../server/db/migrate.ts';
import { reportEnumeration } from './enumeration.ts';

/** What a report measures with. */
export type Bench = { databaseUrl: string; machine: string; say(line: string): void };

const REPORTS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = { enumeration: reportEnumeration };

async function main(): Promise<number> {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !(name in REPORTS));
  if (unknown.length > 0) {
    process.stderr.write(`No report is named ${unknown.join(', ')}. There are: ${Object.keys(REPORTS).join(', ')}\n`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const embedded = await openEmbedded({ folder, mayAdopt: true });
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const [core] = cpus();
  const machine = `${cpus().length} × ${core?.model.trim() ?? 'unknown'}, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  try {
    await migrate(embedded.url);
    for (const name of wanted.length > 0 ? wanted : Object.keys(REPORTS))
      await REPORTS[name]?.({ databaseUrl: embedded.url, machine, say });
  } finally {
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

process.exitCode = await main();
