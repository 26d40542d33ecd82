// The pure parts of the performance report: figures, verdicts, plots and the page.

import test from 'ava';
import type { Storm, StormRound } from '../../bench/costs.ts';
import { extrapolate } from '../../bench/extrapolation.ts';
import { judge, type Results } from '../../bench/goals.ts';
import type { GrowthStep } from '../../bench/growth.ts';
import { drawPlots, presentPage } from '../../bench/performance_page.ts';
import { plotBars } from '../../bench/plot.ts';
import { type Measurement, mergeInto, presentMeasurement, round } from '../../bench/rounds.ts';
import { quantile, rangeOf, summarise } from '../../bench/statistics.ts';

const measured = (name: string, ...perCoreSecond: number[]): Measurement => ({
  name,
  title: name,
  perCoreSecond,
  perSecond: perCoreSecond.map((value) => value / 2),
  p50: perCoreSecond.map(() => 1),
  p99: perCoreSecond.map(() => 3),
});
const RESULTS: Results = {
  measurements: [
    measured('bare', 88_000, 92_000, 90_000),
    measured('me', 81_000, 80_800, 81_200),
    measured('me-401', 44_000, 46_000, 45_000),
    measured('oidc-userinfo', 9000, 9000, 9000),
  ],
};

test('rounds are told by their median and by how far the furthest is from it', (t) => {
  t.deepEqual(summarise([90, 100, 130]), { median: 100, spread: 0.3 });
  t.deepEqual(summarise([5]), { median: 5, spread: 0 });
});

test('a few rounds are told by all of them, many by where their median lies with 95 % certainty', (t) => {
  t.deepEqual(rangeOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
  t.deepEqual(rangeOf([4]), { median: 4, least: 4, most: 4 });
  const shuffled = (n: number) => Array.from({ length: n }, (_, index) => ((index * 7) % n) + 1);
  // The known ranks of the sign test: 1 and 6 of 6, 2 and 8 of 9, 4 and 12 of 15, 6 and 15 of 20.
  t.deepEqual(rangeOf(shuffled(6)), { median: 3.5, least: 1, most: 6 });
  t.deepEqual(rangeOf(shuffled(9)), { median: 5, least: 2, most: 8 });
  t.deepEqual(rangeOf(shuffled(15)), { median: 8, least: 4, most: 12 });
  t.deepEqual(rangeOf(shuffled(20)), { median: 10.5, least: 6, most: 15 });
});

test('a quantile of sorted values', (t) => {
  const values = Float64Array.from({ length: 100 }, (_, index) => index);
  t.is(quantile(values, 0.5), 50);
  t.is(quantile(values, 0.99), 99);
  t.is(quantile([7], 0.99), 7);
  t.is(quantile([], 0.99), Number.NaN);
});

for (const [value, text] of [
  [86_841, '86,800'],
  [1240, '1,200'],
  [175.4, '175'],
  [3.26, '3.3'],
  [Number.NaN, '–'],
] as const)
  test(`${value} is written ${text}`, (t) => t.is(round(value), text));

const rowOf = (results: Results, what: string) => judge(results).filter((row) => row.what.startsWith(what));

test('a ratio is held against its goal, reached or not', (t) => {
  const [bare, oidc] = rowOf(RESULTS, '`GET /users/me`, signed in');
  t.deepEqual(bare, {
    what: '`GET /users/me`, signed in',
    goal: '≥ 0.85 × bare `node:http`',
    reached: '0.90 × (81,000 : 90,000)',
    isReached: true,
  });
  t.like(oidc, { reached: '9.00 × (81,000 : 9,000)', isReached: true });
  t.like(rowOf(RESULTS, '`GET /users/me`, 401')[0], { isReached: false, reached: '0.50 × (45,000 : 90,000)' });
});

test('a goal that lies within what the rounds differ by is open, neither reached nor missed', (t) => {
  const measurements = [measured('bare', 100, 100, 100), measured('me', 60, 80, 100)];
  const [row] = rowOf({ measurements }, '`GET /users/me`, signed in');
  t.like(row, { isReached: null, isOpen: true, reached: '0.80 × (80 : 100); 0.60 × to 1.00 × by the rounds' });
});

test('a ratio is the median of those within a round, whatever the machine does from one round to the next', (t) => {
  const measurements = [measured('bare', 100, 1000, 50, 300, 200, 90), measured('me', 90, 900, 45, 270, 180, 81)];
  const [row] = rowOf({ measurements }, '`GET /users/me`, signed in');
  t.like(row, { isReached: true, reached: '0.90 × (135 : 150)' });
});

test('two processes are judged by what their core-seconds yield', (t) => {
  const row = (one: number, two: number) =>
    rowOf({ measurements: [measured('me-one', one), measured('me-two', two)] }, 'two processes')[0];
  t.like(row(1000, 950), { isReached: true, reached: '1.90 × (950 : 1,000)' });
  t.like(row(1000, 800), { isReached: false });
});

test('what was not measured has no verdict', (t) => {
  for (const row of rowOf(RESULTS, 'hop')) t.like(row, { isReached: null, reached: 'not measured in this run' });
  t.true(judge({ measurements: [] }).every(({ isReached }) => isReached === null));
});

test('round trips, memory and storm are held against their goals', (t) => {
  const soak = (perMinute: number) =>
    Array.from({ length: 30 }, (_, minutes) => ({
      minutes,
      bytes: 150e6 + minutes * perMinute + (minutes % 2) * 1000,
    }));
  const results: Results = {
    measurements: [],
    costs: [{ title: 'hop', roundTrips: 3.1, statements: 3, writes: 2, walBytes: 900 }],
    memory: { atRest: 90e6, inUse: 250e6, sessions: 1_000_000, soak: soak(100_000) },
    storm: [
      { cores: 'one', rounds: stormy([4, 9], [4, 9]) },
      { cores: 'two', rounds: stormy([4, 9], [4, 9]) },
    ],
  };
  t.like(rowOf(results, 'round trips to PostgreSQL: hop')[0], { reached: '3.1', isReached: true });
  t.like(rowOf(results, 'resident memory at rest')[0], { reached: '90 MB', isReached: true });
  t.like(rowOf(results, 'resident memory with 1,000,000')[0], {
    reached: '250 MB at most with 1,000,000',
    isReached: false,
  });
  t.like(rowOf(results, 'resident memory while')[0], {
    reached: '6 MB to 6 MB more in an hour, by the slope of 29.0 minutes (a whole hour: soak.md)',
    isReached: true,
  });
  const growing = { atRest: 90e6, inUse: 150e6, sessions: 1000, soak: soak(1e6) };
  t.like(rowOf({ measurements: [], memory: growing }, 'resident memory while')[0], { isReached: false });
  const short = { ...growing, soak: growing.soak.slice(0, 12) };
  t.like(rowOf({ measurements: [], memory: short }, 'resident memory while')[0], { isReached: null, isOpen: true });
  t.like(rowOf({ measurements: [], memory: { ...growing, soak: [] } }, 'resident memory while')[0], {
    isReached: null,
    reached: 'not measured in this run',
  });
  t.like(rowOf(results, '`/users/me` p99')[0], { isReached: true });
  t.like(rowOf(results, 'the same with a second core')[0], { isReached: false, reached: '2.25 × (9.0 : 4.0 ms)' });
});

/** Rounds of a storm: p99 without it and in it, in milliseconds. */
const stormy = (...rounds: readonly [quiet: number, storm: number][]): StormRound[] =>
  rounds.map(([quiet, storm]) => ({ quiet, storm, signIns: 30 }));

test('a storm is judged where its rounds agree', (t) => {
  const row = (cores: Storm['cores'], ...rounds: [number, number][]) =>
    rowOf(
      { measurements: [], storm: [{ cores, rounds: stormy(...rounds) }] },
      cores === 'one' ? '`/users/me` p99' : 'the same with',
    )[0];
  t.like(row('one', [2, 8], [2, 9], [2, 10]), { isReached: true, reached: '9.0 ms (quiet 2.0 ms)' });
  t.like(row('one', [2, 11], [2, 12], [2, 13]), { isReached: false });
  t.like(row('one', [2, 9], [2, 9], [2, 11]), {
    isReached: null,
    isOpen: true,
    reached: '9.0 ms (quiet 2.0 ms); 9.0 ms to 11.0 ms by the rounds',
  });
  // The medians of all are 4 and 2, twice as much; within their own rounds the ratios are 1, 4 and 2.
  t.like(row('two', [4, 4], [1, 4], [2, 4]), {
    isReached: null,
    isOpen: true,
    reached: '2.00 × (4.0 : 2.0 ms); 1.00 × to 4.00 × by the rounds',
  });
  t.like(row('two', [2, 4], [1, 2]), { isReached: true });
  // A machine that is busy without a storm tells nothing.
  t.like(row('two', [66, 74], [66, 74]), { isReached: null, isOpen: true });
  t.like(row('one', [66, 74], [66, 74]), { isReached: null, isOpen: true });
  t.like(rowOf({ measurements: [], storm: [] }, '`/users/me` p99')[0], {
    isReached: null,
    reached: 'not measured in this run',
  });
});

/** Costs in microseconds at 5 thousand, 50 thousand, … sessions, one for each round. */
const grown = (costs: readonly number[][]): GrowthStep[] =>
  costs.map((rounds, index) => ({
    sessions: 5000 * 10 ** index,
    accounts: 1000 * 10 ** index,
    bytes: 10e6 * 10 ** index,
    measurements: [measured('me', ...rounds.map((cost) => 1e6 / cost))],
    plan: 'Index Scan',
  }));

test('what a larger database costs follows the line over the logarithm of its size', (t) => {
  // 100, 103, 106, 109 and so 112 at ten times as many.
  const [found] = extrapolate(grown([[100], [103], [106], [109]]), 50_000_000);
  t.is(found?.expected.ratio.median.toFixed(4), '1.1200');
  t.is(found?.measured.at(-1)?.ratio.median.toFixed(4), '1.0900');
  t.true((found?.misfit ?? 1) < 1e-9);
  // Rounds of other speed, but of the same shape, agree.
  const [alike] = extrapolate(
    grown([
      [100, 200],
      [103, 206],
      [106, 212],
      [109, 218],
    ]),
    50_000_000,
  );
  t.is((alike?.expected.ratio.least ?? 0).toFixed(4), (alike?.expected.ratio.most ?? 1).toFixed(4));
  t.deepEqual(extrapolate(grown([[100], [103]]), 50_000_000), []);
});

test('growth is held against its goal, open when the rounds do not tell', (t) => {
  const verdict = (costs: readonly number[][]) => rowOf({ measurements: [], growth: grown(costs) }, 'growth: me')[0];
  t.like(verdict([[100], [103], [106], [109]]), {
    reached: '1.09 × (1.09 to 1.09) at 5,000,000; by extrapolation 1.12 × (1.12 to 1.12)',
    isReached: true,
  });
  t.like(verdict([[100], [110], [120], [130]]), { isReached: false });
  t.like(
    verdict([
      [100, 100],
      [103, 110],
      [106, 120],
      [109, 130],
    ]),
    { isReached: null, isOpen: true },
  );
  t.like(verdict([[100], [103], [106], [109], [112]]), {
    reached: '1.12 × (1.12 to 1.12) at 50,000,000',
    isReached: true,
  });
  t.like(rowOf(RESULTS, 'growth')[0], { isReached: null, reached: 'not measured in this run' });
});

test('the plot of growth has a point for each size, and one beyond what was measured', (t) => {
  const svg =
    drawPlots({ measurements: [], growth: grown([[100], [103], [106], [109]]) })['performance-growth.svg'] ?? '';
  t.is(svg.match(/<circle /g)?.length, 5);
  t.is(svg.match(/stroke-dasharray="6 5"/g)?.length, 1);
  t.true(svg.includes('>50,000,000</text>'));
});

test('a plot has a bar for each value, as long as its value, and escapes what it is given', (t) => {
  const svg = plotBars('A & B', 'longer is better', [
    { title: '`one` <x>', value: 10, text: '10', kind: 'ours' },
    { title: 'two', value: 5, text: '5', kind: 'yardstick' },
  ]);
  t.true(svg.includes('A &amp; B') && svg.includes('>one &lt;x></text>'));
  const widths = [...svg.matchAll(/<rect x="380" [^>]*?width="([\d.]+)"/g)].map(([, width]) => Number(width));
  t.deepEqual(widths, [450, 225]);
  t.true(svg.includes('>Causeway</text>') && !svg.includes('>peer</text>'));
});

test('plots are drawn of what was measured, never of one bar alone', (t) => {
  t.deepEqual(Object.keys(drawPlots(RESULTS)), ['performance-users-me.svg']);
  t.deepEqual(drawPlots({ measurements: [measured('hop', 1)] }), {});
});

const FACTS = {
  machine: '2 × core',
  at: '2026-11-26 10:00',
  command: 'npm run bench -- performance',
  load: ['0.1', '2.0'],
  effort: '3 interleaved rounds.',
  sharedBuffers: 6e9,
  areHugePages: true,
  versions: { PostgreSQL: '18.4' },
  configurations: [{ path: 'bench/peers/x.mjs', text: 'x();\n' }],
} as const;

test('the page says what falls short, with goal and figure', (t) => {
  const page = presentPage(RESULTS, FACTS);
  t.true(page.includes('| `GET /users/me`, 401 | ≥ 0.85 × bare `node:http` | 0.50 × (45,000 : 90,000) | **no** |'));
  t.true(
    page.includes('**Where it falls short:**\n\n- `GET /users/me`, 401: ≥ 0.85 × bare `node:http`, reached 0.50 ×'),
  );
  t.true(page.includes('| bare | 90,000 | ± 2 % | 45,000 | 1.00 ms | 3.00 ms |'));
  t.true(page.includes('![performance-users-me.svg](performance-users-me.svg)'));
  t.true(page.includes('```js\nx();\n```'));
});

test('the page says which part of the grown databases PostgreSQL has in memory of its own', (t) => {
  const pageOf = (costs: readonly number[][]) => presentPage({ measurements: [], growth: grown(costs) }, FACTS);
  t.regex(
    pageOf([[100], [103], [106]]),
    /6\.0 GB of shared buffers, in huge pages\. The databases take 1\.1 GB together, so\nall of each/,
  );
  t.regex(pageOf([[100], [103], [106], [109]]), /take 11\.1 GB together, so\n54 % of them can be read from there/);
});

test('the page says what pages PostgreSQL has its memory in', (t) => {
  const pageOf = (areHugePages: boolean) =>
    presentPage({ measurements: [], growth: grown([[100], [103], [106]]) }, { ...FACTS, areHugePages });
  t.regex(pageOf(true), /shared buffers, in huge pages that were set aside for it/);
  const usual = pageOf(false);
  t.regex(usual, /of shared buffers, in pages of 4 kB\./);
  t.false(usual.includes('huge pages'));
});

test('rounds of several starts are those of one measurement', (t) => {
  const found = [measured('me', 100, 120)];
  mergeInto(found, [measured('me', 110), measured('bare', 90)]);
  t.deepEqual(
    found.map(({ name, perCoreSecond, perSecond, p50, p99 }) => [
      name,
      perCoreSecond,
      perSecond,
      p50.length,
      p99.length,
    ]),
    [
      ['me', [100, 120, 110], [50, 60, 55], 3, 3],
      ['bare', [90], [45], 1, 1],
    ],
  );
});

test('a measurement is told in one line', (t) => {
  t.is(presentMeasurement(measured('me', 100, 110, 120)), '  me: 110 per core-second (± 9 %), 55/s, p99 3.0 ms');
});
