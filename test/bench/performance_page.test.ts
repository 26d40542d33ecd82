// The pure parts of the performance report: figures, verdicts, plots and the page.

import test from 'ava';
import { judge, type Results } from '../../bench/goals.ts';
import { drawPlots, presentPage } from '../../bench/performance_page.ts';
import { plotBars } from '../../bench/plot.ts';
import { type Measurement, presentMeasurement, round } from '../../bench/rounds.ts';
import { quantile, summarise } from '../../bench/statistics.ts';

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
    measured('me-401', 45_000),
    measured('oidc-userinfo', 9000),
  ],
};

test('rounds are told by their median and by how far the furthest is from it', (t) => {
  t.deepEqual(summarise([90, 100, 130]), { median: 100, spread: 0.3 });
  t.deepEqual(summarise([5]), { median: 5, spread: 0 });
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

test('a ratio of medians is held against its goal, reached or not', (t) => {
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

test('round trips, memory, storm and growth are held against their goals', (t) => {
  const step = (sessions: number, me: number) => ({
    sessions,
    accounts: sessions / 5,
    measurements: [measured('me', me), measured('hop', 100)],
    plan: 'Index Scan',
  });
  const results: Results = {
    measurements: [],
    costs: [{ title: 'hop', roundTrips: 3.1, statements: 3, writes: 2, walBytes: 900 }],
    memory: { atRest: 90e6, inUse: 250e6, sessions: 1_000_000 },
    storm: [
      { cores: 'one', quiet: 4, storm: 9 },
      { cores: 'two', quiet: 4, storm: 9 },
    ],
    growth: [step(1000, 1300), step(50_000_000, 1000)],
  };
  t.like(rowOf(results, 'round trips to PostgreSQL: hop')[0], { reached: '3.1', isReached: true });
  t.like(rowOf(results, 'resident memory at rest')[0], { reached: '90 MB', isReached: true });
  t.like(rowOf(results, 'resident memory with')[0], { reached: '250 MB with 1,000,000', isReached: false });
  t.like(rowOf(results, '`/users/me` p99')[0], { isReached: true });
  t.like(rowOf(results, 'the same with a second core')[0], { isReached: false, reached: '2.25 × (9.0 : 4.0 ms)' });
  t.like(rowOf(results, 'growth')[0], { reached: '1.30 × at 50,000,000 sessions', isReached: true });
  t.is(rowOf({ ...results, growth: [step(1000, 1300), step(5000, 1000)] }, 'growth')[0]?.isReached, null);
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

test('the page says what falls short, with goal and figure', (t) => {
  const page = presentPage(RESULTS, {
    machine: '2 × core',
    at: '2026-11-26 10:00',
    command: 'npm run bench -- performance',
    load: ['0.1', '2.0'],
    effort: '3 interleaved rounds.',
    versions: { PostgreSQL: '18.4' },
    configurations: [{ path: 'bench/peers/x.mjs', text: 'x();\n' }],
  });
  t.true(page.includes('| `GET /users/me`, 401 | ≥ 0.85 × bare `node:http` | 0.50 × (45,000 : 90,000) | **no** |'));
  t.true(
    page.includes('**Where it falls short:**\n\n- `GET /users/me`, 401: ≥ 0.85 × bare `node:http`, reached 0.50 ×'),
  );
  t.true(page.includes('| bare | 90,000 | ± 2 % | 45,000 | 1.00 ms | 3.00 ms |'));
  t.true(page.includes('![performance-users-me.svg](performance-users-me.svg)'));
  t.true(page.includes('```js\nx();\n```'));
});

test('a measurement is told in one line', (t) => {
  t.is(presentMeasurement(measured('me', 100, 110, 120)), '  me: 110 per core-second (± 9 %), 55/s, p99 3.0 ms');
});
