// The report `performance`: how fast sign-in, session checks and the provider are, beside yardsticks and peers.
// Its parts can be run alone; only the whole writes docs/performance.md and the plots.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { argon2id } from '../server/passwords/argon2id.ts';
import { countCosts, measureStorm } from './costs.ts';
import { judge, type Results } from './goals.ts';
import { measureGrowth } from './growth.ts';
import { measureMemory } from './memory.ts';
import { installPeers, versions } from './peers.ts';
import { drawPlots, presentPage } from './performance_page.ts';
import type { Effort } from './rounds.ts';
import type { Bench } from './run.ts';
import { presentSoak } from './soak_page.ts';
import { query, setStage } from './stage.ts';
import {
  measureHop,
  measureLogin,
  measureProcesses,
  measureProvider,
  measureUsersMe,
  type Runner,
} from './throughput.ts';

const FULL = {
  // V8 goes on compiling for some 15 s of work: a hop takes 980 µs in the first two, 720 after six and 530 after sixteen.
  // Many short rounds: the machine's speed may change by half from one second to the next.
  effort: { starts: 3, rounds: 6, warmUp: 16, seconds: 0.5, most: 40 },
  readers: 64,
  times: 200,
  sessions: 1_000_000,
  soakMinutes: 2,
  sizes: [5_000, 50_000, 500_000, 5_000_000],
};
const QUICK: typeof FULL = {
  effort: { starts: 1, rounds: 1, warmUp: 0.2, seconds: 0.4, most: 4 },
  readers: 8,
  times: 10,
  sessions: 1000,
  soakMinutes: 0.1,
  sizes: [1000, 2000, 4000],
};
type Extent = typeof FULL;

const PARTS = {
  'users-me': async (runner) => ({ measurements: await measureUsersMe(runner) }),
  hop: async (runner) => ({ measurements: await measureHop(runner) }),
  database: async (runner, extent) => ({ measurements: [], costs: await countCosts(runner, extent.times) }),
  login: async (runner) => ({ measurements: await measureLogin(runner) }),
  provider: async (runner) => ({ measurements: await measureProvider(runner) }),
  storm: async (runner) => ({ measurements: [], storm: await measureStorm(runner) }),
  processes: async (runner) => ({ measurements: await measureProcesses(runner) }),
  // In databases of their own.
  growth: async (runner, extent) => ({ measurements: [], growth: await measureGrowth(runner, extent.sizes) }),
  memory: async (runner, extent) => ({ measurements: [], memory: await measureMemory(runner, extent) }),
} as const satisfies Record<string, (runner: Runner, extent: Extent) => Promise<Results>>;
export type PerformancePart = keyof typeof PARTS;
export const PERFORMANCE_PARTS = Object.keys(PARTS) as PerformancePart[];

/** Measures some parts, or all of them, which are then written down. */
export async function reportPerformance(bench: Bench, names: readonly PerformancePart[]): Promise<void> {
  const { say } = bench;
  const usual = bench.isQuick ? QUICK : FULL;
  const extent = { ...usual, soakMinutes: bench.soakMinutes ?? usual.soakMinutes };
  installPeers(say);
  const deadline = performance.now() + bench.minutes * 60_000;
  const before = presentLoad();
  const folder = mkdtempSync(join(tmpdir(), 'causeway-measured-'));
  let results: Results = { measurements: [] };
  try {
    const stage = await setStage({ databaseUrl: bench.databaseUrl, folder, readers: extent.readers });
    for (const name of names) {
      if (performance.now() > deadline) {
        say(`${name}: left out, the time is over`);
        continue;
      }
      say(name);
      const found: Results = await PARTS[name]({ stage, effort: extent.effort, say }, extent);
      results = { ...results, ...found, measurements: [...results.measurements, ...found.measurements] };
    }
    for (const row of judge(results))
      if (row.isReached !== null || row.isOpen)
        say(
          `${row.isOpen ? 'open   ' : row.isReached ? 'reached' : 'SHORT  '}  ${row.what}: ${row.reached}, goal ${row.goal}`,
        );
    if (bench.isQuick) return;
    const docs = join(import.meta.dirname, '../docs');
    const at = new Date().toISOString().slice(0, 16).replace('T', ' ');
    const soak =
      results.memory && presentSoak(results.memory, { machine: bench.machine, at, minutes: extent.soakMinutes });
    if (soak) writeFileSync(join(docs, 'soak.md'), soak);
    if (names.length < PERFORMANCE_PARTS.length) return;
    for (const [file, svg] of Object.entries(drawPlots(results))) writeFileSync(join(docs, file), svg);
    const { rows } = await query(
      bench.databaseUrl,
      `select current_setting('server_version') as version, pg_size_bytes(current_setting('shared_buffers')) as buffers,
              current_setting('huge_pages_status') = 'on' as are_huge`,
    );
    const facts = {
      machine: bench.machine,
      at,
      command: 'npm run bench -- performance',
      load: [before, presentLoad()] as const,
      effort: presentEffort(extent.effort),
      sharedBuffers: Number(rows[0]?.buffers),
      areHugePages: rows[0]?.are_huge === true,
      versions: { PostgreSQL: rows[0]?.version, ...versions(), 'argon2id by': argon2id.library },
      configurations: ['oidc_provider.mjs', 'oidc_provider_postgres.mjs', 'better_auth.mjs'].map((file) => ({
        path: `bench/peers/${file}`,
        text: readFileSync(join(import.meta.dirname, 'peers', file), 'utf8'),
      })),
    };
    writeFileSync(join(docs, 'performance.md'), presentPage(results, facts));
    say('Written: docs/performance.md');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const presentLoad = () =>
  loadavg()
    .slice(0, 1)
    .map((value) => value.toFixed(1))
    .join();

const presentEffort = ({ starts, rounds, warmUp, seconds }: Effort) =>
  `All servers are started ${starts} times; each time ${rounds} interleaved rounds, in every other one in the opposite order; in each, what is measured takes ${seconds} s of processor time after ${warmUp} s to warm up (at first).`;
