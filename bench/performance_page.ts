// docs/performance.md and its plots, out of what one run found.

import { extrapolate, type Growth } from './extrapolation.ts';
import {
  BUSY_QUIET_MS,
  coreRate,
  GOAL_SESSIONS,
  type GoalRow,
  judge,
  MOST_GROWTH,
  presentRange,
  type Results,
} from './goals.ts';
import { type Bar, type Point, plotBars, plotLines } from './plot.ts';
import { type Measurement, round } from './rounds.ts';
import { summarise } from './statistics.ts';

export type RunFacts = {
  machine: string;
  at: string;
  command: string;
  /** Load of the machine before and after. */
  load: readonly [before: string, after: string];
  effort: string;
  /** PostgreSQL's, in bytes, and whether they are in huge pages. */
  sharedBuffers: number;
  areHugePages: boolean;
  versions: Readonly<Record<string, string>>;
  /** Files of the peers' configuration, by name. */
  configurations: readonly { path: string; text: string }[];
};

/** The plots, by file name. */
export function drawPlots({ measurements, growth }: Results): Record<string, string> {
  const plots: [file: string, title: string, names: readonly string[]][] = [
    [
      'performance-users-me.svg',
      'Session checks for each second of one core',
      ['bare', 'me', 'me-401', 'bare-select', 'me-database', 'oidc-userinfo', 'better-cached', 'better'],
    ],
    [
      'performance-hop.svg',
      'Hops to another domain, and code flows, for each second of one core',
      ['bare-flow', 'hop', 'hop-site', 'oidc-flow-memory', 'oidc-flow'],
    ],
    [
      'performance-provider.svg',
      'The standard provider on PostgreSQL, for each second of one core',
      ['flow', 'refresh', 'userinfo', 'introspection'].flatMap((part) => [`provider-${part}`, `oidc-pg-${part}`]),
    ],
  ];
  const drawn = plots.flatMap(([file, title, names]) => {
    const bars = names.flatMap((name) => barOf(measurements, name));
    return bars.length > 1 ? [[file, plotBars(title, 'medians; longer is better', bars)] as const] : [];
  });
  const grown = extrapolate(growth ?? [], GOAL_SESSIONS);
  return { ...Object.fromEntries(drawn), ...(grown.length > 0 && { [GROWTH_PLOT]: plotGrowth(grown) }) };
}

const GROWTH_PLOT = 'performance-growth.svg';

const plotGrowth = (grown: readonly Growth[]): string =>
  plotLines(
    'What an operation costs when the database grows',
    'times the smallest size, by the number of sessions; bars: where the median lies by the rounds; dashed: extrapolated',
    grown.map(({ title, measured, expected }) => ({
      title,
      points: [
        ...measured.map(({ sessions, ratio }): Point => ({ at: sessions, value: ratio.median, ...ratio })),
        { at: expected.sessions, value: expected.ratio.median, ...expected.ratio, isBeyond: true },
      ],
    })),
    MOST_GROWTH,
  );

function barOf(measurements: readonly Measurement[], name: string): Bar[] {
  const found = measurements.find((one) => one.name === name);
  const value = coreRate(measurements, name);
  if (!found || value === null) return [];
  const kind = name.startsWith('bare') ? 'yardstick' : /^(oidc|better)/.test(name) ? 'peer' : 'ours';
  return [{ title: found.title, value, text: round(value), kind }];
}

/** The page. */
export function presentPage(results: Results, facts: RunFacts): string {
  const rows = judge(results);
  const missed = rows.filter(({ isReached }) => isReached === false);
  const open = rows.filter(({ isOpen }) => isOpen);
  const list = (some: readonly GoalRow[]) =>
    some.map(({ what, goal, reached }) => `- ${what}: ${goal}, reached ${reached}`).join('\n');
  return `<!-- Written by \`npm run bench -- performance\`. Do not edit. -->

# How fast it is

Session checks, hops and the endpoints of the provider, measured on one core beside what that core can do at best (yardsticks)
and beside peers. Run it yourself: \`${facts.command}\`.

- Machine: ${facts.machine}. Load average before and after: ${facts.load.join(' → ')} (2 would be both cores busy with the measurement alone).
- ${facts.at}. ${facts.effort}
- Versions: ${Object.entries(facts.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')}.
- What is measured has one core to itself (\`taskset\`); the load generator and PostgreSQL (durable, with a quarter of the memory as
  shared buffers, ${facts.areHugePages ? 'in huge pages that were set aside for it as docs/scale.md advises, otherwise as it comes' : 'otherwise as it comes'}) share the other. Some virtual machines do not enforce that; then only processor time counts.
  Causeway runs as \`npm start\` runs it, with its access log. Only right answers count; a wrong one ends the run.
- **Per core-second** is operations divided by the processor time that the server's process took: what one core answers when it
  has nothing else to do. On a quiet machine that is the rate by the clock; on a shared one the clock measures the neighbours.
  PostgreSQL's time is not in it. How fast this machine is shows in the first yardstick; only ratios mean anything elsewhere.
- The storm: 32 connections sign in without a pause, one hash at a time, while some 800 page views a second come from readers who
  rest in between. At full speed, load generator, PostgreSQL, hashing and server would want two and a half cores, and the figure would say who
  waits for a core: traced so (DECISIONS 75), of 26 % of its time that the server's thread waited, 16 went to the load
  generator, 3 to PostgreSQL, 1 to hashing. Where \`/users/me\` takes more than ${BUSY_QUIET_MS} ms without a storm, nothing is judged.

## Goals

| what | goal | reached | |
|---|---|---|---|
${rows.map(({ what, goal, reached, isReached, isOpen }) => `| ${what} | ${goal} | ${reached} | ${verdict(isReached, isOpen)} |`).join('\n')}

${missed.length === 0 ? 'Nothing that was measured falls short.' : `**Where it falls short:**\n\n${list(missed)}`}
${open.length === 0 ? '' : `\n**Open, because the rounds differ too much, or the machine was too busy, to tell:**\n\n${list(open)}\n`}
${Object.keys(drawPlots(results))
  .filter((file) => file !== GROWTH_PLOT)
  .map((file) => `![${file}](${file})`)
  .join('\n\n')}

## Figures

| what | per core-second | spread | per second by the clock | p50 | p99 |
|---|---|---|---|---|---|
${results.measurements.map(presentRow).join('\n')}

Spread: how far the furthest round is from the median. A ratio is the median of the ratios within a round; \`by the rounds\` says between
which of them it lies with 95 % certainty.
${presentCosts(results)}${presentGrowth(results, facts)}${presentMemory(results)}
## How the peers are set up

${facts.configurations.map(({ path, text }) => `\`${path}\`:\n\n\`\`\`js\n${text.trim()}\n\`\`\``).join('\n\n')}
`;
}

const verdict = (isReached: boolean | null, isOpen?: true) =>
  isOpen ? 'open' : isReached === null ? '–' : isReached ? 'yes' : '**no**';

function presentRow(of: Measurement): string {
  const [core, wall] = [summarise(of.perCoreSecond), summarise(of.perSecond)];
  const ms = (values: readonly number[]) => `${summarise(values).median.toFixed(2)} ms`;
  return `| ${of.title} | ${round(core.median)} | ± ${Math.round(100 * core.spread)} % | ${round(wall.median)} | ${ms(of.p50)} | ${ms(of.p99)} |`;
}

function presentCosts({ costs }: Results): string {
  if (!costs) return '';
  const rows = costs.map(
    ({ title, roundTrips, statements, writes, walBytes }) =>
      `| ${title} | ${roundTrips.toFixed(1)} | ${statements.toFixed(1)} | ${writes.toFixed(1)} | ${round(walBytes)} |`,
  );
  return `
## What an operation asks of PostgreSQL

Counted by a proxy that reads along, one operation after the other, so nothing is shared with a neighbour. Bytes of write-ahead
log include full pages after a checkpoint.

| what | round trips | statements | of them writing | bytes of WAL |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function presentGrowth({ growth }: Results, { sharedBuffers, areHugePages }: RunFacts): string {
  const last = growth?.at(-1);
  if (!growth || !last) return '';
  const count = (value: number) => value.toLocaleString('en-US');
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;
  const all = growth.reduce((sum, { bytes }) => sum + bytes, 0);
  const grown = extrapolate(growth, GOAL_SESSIONS);
  const rows = growth.map(({ sessions, accounts, bytes, measurements }) => {
    const cells = last.measurements.map(({ name }) => {
      const rate = coreRate(measurements, name);
      const ratio = grown.find((one) => one.name === name)?.measured.find((one) => one.sessions === sessions)?.ratio;
      return rate === null ? '–' : `${round(rate)}${ratio ? `: ${presentRange(ratio)}` : ''}`;
    });
    return `| ${[count(sessions), count(accounts), gigabytes(bytes), ...cells].join(' | ')} |`;
  });
  const expected = last.measurements.map(({ name }) => {
    const found = grown.find((one) => one.name === name);
    return found ? presentRange(found.expected.ratio) : '–';
  });
  const size = gigabytes((last.bytes / last.sessions) * GOAL_SESSIONS);
  if (grown.length > 0)
    rows.push(
      `| ${[`${count(GOAL_SESSIONS)}, extrapolated`, count(GOAL_SESSIONS / 5), size, ...expected].join(' | ')} |`,
    );
  return `
## When the database grows

Databases of several sizes, filled by generation and measured in turns, without session memory: every request is another
reader's. Per core-second of server and PostgreSQL **together**, so these figures are lower than those above, where the server
alone counts. After the colon: what an operation costs there, as a multiple of the smallest size (least and most of the rounds).
\`GET /users/me\` only reads; *first in a minute* also notes the session as seen. It is not measured at the smallest size,
where all would be met within the minute. PostgreSQL has ${gigabytes(sharedBuffers)} of shared buffers, ${areHugePages ? 'in huge pages' : 'in pages of 4 kB'}. The databases take ${gigabytes(all)} together, so
${
  all <= sharedBuffers
    ? 'all of each is read from there'
    : `${Math.round((100 * sharedBuffers) / all)} % of them can be read from there, the rest from the system's cache`
}, as after a day's work: each size is warmed until the processes of PostgreSQL have met its pages.

| sessions | accounts | database | ${last.measurements.map(({ title }) => title).join(' | ')} |
|---|---|---|${last.measurements.map(() => '---|').join('')}
${rows.join('\n')}

${grown.length === 0 ? '' : presentModel(grown)}
How PostgreSQL finds a session among ${count(last.sessions)}:

\`\`\`text
${last.plan}
\`\`\`
`;
}

function presentModel(grown: readonly Growth[]): string {
  const misfits = grown.map(({ title, misfit }) => `${title} ${Math.round(100 * misfit)} %`).join(', ');
  return `![${GROWTH_PLOT}](${GROWTH_PLOT})

The extrapolation is a straight line through what an operation costs at the measured sizes over the logarithm of the number of
sessions, one line for each round; the range is that of the rounds. The size that fits worst lies off the line of the medians by:
${misfits}.
It says nothing of a machine that can no longer keep in memory what is in use of tables and indexes: from there on the disk counts.
`;
}

function presentMemory({ memory }: Results): string {
  if (!memory) return '';
  const row = ({ minutes, bytes }: { minutes: number; bytes: number }) =>
    `| ${minutes.toFixed(1)} | ${(bytes / 1e6).toFixed(1)} MB |`;
  // Some ten rows are enough to see where it goes.
  const every = Math.max(1, Math.round(memory.soak.length / 10));
  return `
## Memory

Resident memory of one node as it comes (session memory at its default): ${(memory.atRest / 1e6).toFixed(0)} MB at rest; then
${memory.sessions.toLocaleString('en-US')} sessions are used once each, and random ones of them for some minutes more:

| minutes | resident |
|---|---|
${memory.soak
  .filter((_, index) => index % every === 0)
  .map(row)
  .join('\n')}
`;
}
