// What was promised, what was measured, and whether it is so: the table of docs/performance.md. Pure; ratios are
// medians of those within a round.

import type { OperationCost, Storm, StormRound } from './costs.ts';
import { extrapolate, type Growth, hourlyGrowth } from './extrapolation.ts';
import type { GrowthStep } from './growth.ts';
import type { MemoryUse } from './memory.ts';
import { type Measurement, round } from './rounds.ts';
import { LEAST_SOAK_MINUTES } from './soak_page.ts';
import { median, rangeOf } from './statistics.ts';

/** What one run found; a part that was not measured is absent. */
export type Results = {
  measurements: readonly Measurement[];
  costs?: readonly OperationCost[];
  memory?: MemoryUse;
  storm?: readonly Storm[];
  growth?: readonly GrowthStep[];
};
export type GoalRow = {
  what: string;
  goal: string;
  reached: string;
  /** Null when it was not measured, or when it is open (`isOpen`): the rounds differ too much, or the machine was too busy. */
  isReached: boolean | null;
  isOpen?: true;
};

const NOT_MEASURED = 'not measured in this run';

/** Every goal with what was reached. */
export function judge(results: Results): GoalRow[] {
  return [
    ...judgeRatios(results.measurements),
    ...judgeStorm(results),
    ...judgeCosts(results),
    ...judgeMemory(results),
    ...judgeGrowth(results),
  ];
}

type Ratio = { what: string; ours: string; than: string; least: number; beside: string; factor?: number };

const RATIOS: readonly Ratio[] = [
  ratio('`GET /users/me`, signed in', 'me', 'bare', 0.85, 'bare `node:http`'),
  ratio('`GET /users/me`, signed in', 'me', 'oidc-userinfo', 7, 'node-oidc-provider userinfo, memory'),
  ratio('`GET /users/me`, signed in', 'me', 'better', 40, 'better-auth get-session'),
  ratio('`GET /users/me`, 401', 'me-401', 'bare', 0.85, 'bare `node:http`'),
  ratio('`GET /users/me`, session memory off', 'me-database', 'bare-select', 0.9, 'the batched bare select'),
  ratio('hop, durable', 'hop', 'bare-flow', 0.7, 'the batched bare code flow'),
  ratio('hop, durable', 'hop', 'oidc-flow', 7, 'node-oidc-provider on PostgreSQL, ES256'),
  ratio('`POST /oauth/token`: code flow', 'provider-flow', 'oidc-pg-flow', 4, 'node-oidc-provider on PostgreSQL'),
  ratio('`POST /oauth/token`: refresh', 'provider-refresh', 'oidc-pg-refresh', 4, 'node-oidc-provider on PostgreSQL'),
  ratio('userinfo', 'provider-userinfo', 'oidc-pg-userinfo', 4, 'node-oidc-provider on PostgreSQL'),
  ratio('introspection', 'provider-introspection', 'oidc-pg-introspection', 4, 'node-oidc-provider on PostgreSQL'),
  ratio('`POST /login`', 'login', 'argon2id @node-rs/argon2', 0.95, 'the fastest bare argon2id'),
  // The load needs a part of the second core, so the clock cannot tell here; what each core-second yields can.
  {
    ...ratio('two processes on two cores, as core-seconds yield', 'me-two', 'me-one', 1.8, 'one process'),
    factor: 2,
  },
];

function ratio(what: string, ours: string, than: string, least: number, beside: string): Ratio {
  return { what, ours, than, least, beside };
}

function judgeRatios(measurements: readonly Measurement[]): GoalRow[] {
  return RATIOS.map(({ what, ours, than, least: wanted, beside, factor = 1 }) => {
    const goal = `≥ ${wanted} × ${beside}`;
    const [one, other] = [roundsOf(measurements, ours), roundsOf(measurements, than)];
    if (!one || !other) return { what, goal, reached: NOT_MEASURED, isReached: null };
    // What is measured in one round meets the machine in one mood.
    const ratios = one.slice(0, other.length).map((rate, index) => (factor * rate) / (other[index] ?? Number.NaN));
    const { median: reached, least, most } = rangeOf(ratios);
    const shown = `${times(reached)} (${round(median([...one]))} : ${round(median([...other]))})`;
    if (least < wanted && wanted <= most) {
      const range = `${times(least)} to ${times(most)} by the rounds`;
      return { what, goal, reached: `${shown}; ${range}`, isReached: null, isOpen: true };
    }
    return { what, goal, reached: shown, isReached: reached >= wanted };
  });
}

/** What each round found, in operations per core-second; null when it was not measured. */
function roundsOf(measurements: readonly Measurement[], name: string): readonly number[] | null {
  const found = measurements.find((one) => one.name === name)?.perCoreSecond;
  return found && found.length > 0 ? found : null;
}

/** Median of operations per core-second; null when it was not measured. */
export function coreRate(measurements: readonly Measurement[], name: string): number | null {
  const rates = roundsOf(measurements, name);
  return rates && median([...rates]);
}

const times = (value: number) => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ×`;

/** Readers who rest are answered within a few milliseconds while nothing else happens; more tells of what else the machine does. */
export const BUSY_QUIET_MS = 5;

/** The p99 of one core against a time, that of two cores against the same round's without a storm. */
function judgeStorm({ storm }: Results): GoalRow[] {
  const inMilliseconds = (value: number) => `${value.toFixed(1)} ms`;
  return [
    stormRow(storm, {
      cores: 'one',
      what: '`/users/me` p99 during a storm of sign-ins, one core',
      goal: '≤ 10 ms',
      most: 10,
      of: (round) => round.storm,
      written: inMilliseconds,
      beside: ({ quiet }) => `(quiet ${inMilliseconds(quiet)})`,
    }),
    stormRow(storm, {
      cores: 'two',
      what: 'the same with a second core',
      goal: '≤ 2 × quiet',
      most: 2,
      of: (round) => round.storm / round.quiet,
      written: times,
      beside: ({ quiet, storm }) => `(${storm.toFixed(1)} : ${inMilliseconds(quiet)})`,
    }),
  ];
}

type StormGoal = {
  cores: Storm['cores'];
  what: string;
  goal: string;
  most: number;
  of(round: StormRound): number;
  written(value: number): string;
  beside(middle: { quiet: number; storm: number }): string;
};

function stormRow(
  found: Results['storm'],
  { cores, what, goal, most: wanted, of, written, beside }: StormGoal,
): GoalRow {
  const rounds = found?.find((one) => one.cores === cores)?.rounds ?? [];
  if (rounds.length === 0) return { what, goal, reached: NOT_MEASURED, isReached: null };
  const [quiet, storm] = [median(rounds.map((one) => one.quiet)), median(rounds.map((one) => one.storm))];
  const { median: reached, least, most } = rangeOf(rounds.map(of));
  const shown = `${written(reached)} ${beside({ quiet, storm })}`;
  if (least <= wanted && wanted < most) {
    const range = `${written(least)} to ${written(most)} by the rounds`;
    return { what, goal, reached: `${shown}; ${range}`, isReached: null, isOpen: true };
  }
  if (quiet > BUSY_QUIET_MS) return { what, goal, reached: shown, isReached: null, isOpen: true };
  return { what, goal, reached: shown, isReached: reached <= wanted };
}

const MOST_ROUND_TRIPS: readonly [title: string, most: number][] = [
  ['`GET /users/me`', 1],
  ['hop', 3],
  ['`POST /login`', 3],
  ['refresh', 1],
];

function judgeCosts({ costs }: Results): GoalRow[] {
  return MOST_ROUND_TRIPS.map(([title, most]) => {
    const cost = costs?.find((one) => one.title === title);
    // What a node does by itself is taken off by its rate, so a figure may be some hundredths off.
    const isReached = cost ? cost.roundTrips <= most + 0.2 : null;
    return {
      what: `round trips to PostgreSQL: ${title}`,
      goal: `≤ ${most}`,
      reached: cost ? cost.roundTrips.toFixed(1) : NOT_MEASURED,
      isReached,
    };
  });
}

const MB = 1e6;
/** What a node may gain in an hour and still count as flat: some tenth of what it holds. */
const MOST_HOURLY_BYTES = 20 * MB;

function judgeMemory({ memory }: Results): GoalRow[] {
  const mb = (bytes: number) => `${Math.round(bytes / MB)} MB`;
  const hour = memory && hourlyGrowth(memory.soak);
  return [
    {
      what: 'resident memory at rest',
      goal: '≤ 120 MB',
      reached: memory ? mb(memory.atRest) : NOT_MEASURED,
      isReached: memory ? memory.atRest <= 120 * MB : null,
    },
    {
      what: 'resident memory with 1,000,000 sessions in use',
      goal: '≤ 200 MB',
      reached: memory ? `${mb(memory.inUse)} at most with ${memory.sessions.toLocaleString('en-US')}` : NOT_MEASURED,
      isReached: memory && memory.sessions >= 1_000_000 ? memory.inUse <= 200 * MB : null,
    },
    {
      what: 'resident memory while random sessions of these are used',
      goal: `flat over an hour (${mb(MOST_HOURLY_BYTES)} more at most)`,
      reached: hour
        ? `${mb(hour.least)} to ${mb(hour.most)} more in an hour, by the slope of ${hour.minutes.toFixed(1)} minutes (a whole hour: soak.md)`
        : NOT_MEASURED,
      ...(hour ? judgeSoak(hour) : { isReached: null }),
    },
  ];
}

/** A few minutes show that it is flat, never that it is not. */
function judgeSoak(hour: { least: number; most: number; minutes: number }): Pick<GoalRow, 'isReached' | 'isOpen'> {
  const verdict = within(hour, MOST_HOURLY_BYTES);
  const isTold = verdict.isReached !== false || hour.minutes >= LEAST_SOAK_MINUTES;
  return isTold ? verdict : { isReached: null, isOpen: true };
}

/** Open when the goal lies within the range. */
const within = (
  { least, most }: { least: number; most: number },
  goal: number,
): Pick<GoalRow, 'isReached' | 'isOpen'> =>
  least <= goal && goal < most ? { isReached: null, isOpen: true } : { isReached: most <= goal };

/** The size that the goal speaks of. */
export const GOAL_SESSIONS = 50_000_000;
export const MOST_GROWTH = 1.3;

function judgeGrowth({ growth }: Results): GoalRow[] {
  const goal = `≤ ${MOST_GROWTH} × the small one at ${GOAL_SESSIONS.toLocaleString('en-US')} sessions`;
  const found = extrapolate(growth ?? [], GOAL_SESSIONS);
  if (found.length === 0)
    return [{ what: 'growth: `/users/me`, hop and login', goal, reached: NOT_MEASURED, isReached: null }];
  return found.map(({ title, measured, expected }) => {
    const last = measured.at(-1) as Growth['measured'][number];
    const isThere = last.sessions >= GOAL_SESSIONS;
    const there = isThere ? '' : `; by extrapolation ${presentRange(expected.ratio)}`;
    return {
      what: `growth: ${title}`,
      goal,
      reached: `${presentRange(last.ratio)} at ${last.sessions.toLocaleString('en-US')}${there}`,
      ...within(isThere ? last.ratio : expected.ratio, MOST_GROWTH),
    };
  });
}

/** A ratio, and what it was by the furthest rounds. */
export const presentRange = ({ median, least, most }: Growth['expected']['ratio']): string =>
  `${times(median)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
