// `npm run bench [-- NAME … --quick --minutes N]`: measures promises at the running server, over a PostgreSQL with durable settings of its
// own. What is measured goes to the screen and to docs/; nothing here passes or fails by time. `--quick` only shows that it
// runs; after `--minutes` no further part of the performance report is begun; `--soak` minutes long memory is watched.

import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEmbedded } from '../server/db/embedded.ts';
import { migrate } from '../server/db/migrate.ts';
import { reportEnumeration } from './enumeration.ts';
import { PERFORMANCE_PARTS, type PerformancePart, reportPerformance } from './performance.ts';
import { pinSelf } from './processes.ts';
import { reportProfile } from './profile.ts';

/** What a report measures with. */
export type Bench = {
  databaseUrl: string;
  machine: string;
  isQuick: boolean;
  minutes: number;
  /** How long memory is watched; null: as long as is usual. */
  soakMinutes: number | null;
  say(line: string): void;
};

const REPORTS = ['enumeration', 'performance', 'profile'];
const isPart = (name: string): name is PerformancePart => (PERFORMANCE_PARTS as readonly string[]).includes(name);

async function main(): Promise<number> {
  const { values, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '60' },
      soak: { type: 'string' },
    },
  });
  const [isQuick, minutes] = [values.quick, Number(values.minutes)];
  const soakMinutes = values.soak === undefined ? null : Number(values.soak);
  const unknown = wanted.filter((name) => !REPORTS.includes(name) && !isPart(name));
  if (unknown.length > 0) {
    const names = `${REPORTS.join(', ')}; parts of performance: ${PERFORMANCE_PARTS.join(', ')}`;
    process.stderr.write(`No report is named ${unknown.join(', ')}. There are: ${names}\n`);
    return 2;
  }
  const names = wanted.length > 0 ? wanted : REPORTS;
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const [core] = cpus();
  const machine = `${cpus().length} × ${core?.model.trim() ?? 'unknown'}, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  if (names.includes('enumeration'))
    await withDatabase((databaseUrl) =>
      reportEnumeration({ databaseUrl, machine, isQuick, minutes, soakMinutes, say }),
    );
  const parts = names.includes('performance') ? PERFORMANCE_PARTS : names.filter(isPart);
  if (parts.length > 0) {
    // Before PostgreSQL starts, which inherits the core.
    pinSelf();
    await withDatabase((databaseUrl) =>
      reportPerformance({ databaseUrl, machine, isQuick, minutes, soakMinutes, say }, parts),
    );
  }
  if (names.includes('profile')) {
    pinSelf();
    await withDatabase((databaseUrl) => reportProfile({ databaseUrl, machine, isQuick, minutes, soakMinutes, say }));
  }
  return 0;
}

/** As docs/scale.md tells every operator: 128 MB, as PostgreSQL comes, are for small machines. Nothing else is set. */
const SETTINGS = [`shared_buffers=${Math.max(128, Math.floor(totalmem() / 4 / 2 ** 20))}MB`];

/** A database of a report's own, gone afterwards. */
async function withDatabase(work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const embedded = await openEmbedded({ folder, mayAdopt: true, flags: SETTINGS });
  try {
    await migrate(embedded.url);
    await work(embedded.url);
  } finally {
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

// What was started is stopped when this process exits, however it does.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();
