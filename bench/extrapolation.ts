// What cannot be waited for, out of what was measured. What a larger database costs, out of several sizes: ratios of costs within a round, and a line through the cost of an
// operation over the logarithm of the number of sessions. A B-tree gets a level deeper when it has some hundred times as many
// rows, so that is the shape to expect while what is in use fits into memory. Pure.

import { linearRegression, linearRegressionLine, mean } from 'simple-statistics';
import type { GrowthStep } from './growth.ts';
import type { MemoryUse } from './memory.ts';
import { median, type Range, rangeOf } from './statistics.ts';

export type Growth = {
  name: string;
  title: string;
  /** Measured, the smallest size first: what an operation costs there, as a multiple of the smallest. */
  measured: readonly { sessions: number; ratio: Range }[];
  /** By the line: what it costs among `sessions`, as a multiple of what the line says of the smallest. */
  expected: { sessions: number; ratio: Range };
  /** How far the furthest size lies from the line of the medians, as a part of it. */
  misfit: number;
};

/** For every operation that was measured at three sizes or more. */
export function extrapolate(steps: readonly GrowthStep[], sessions: number): Growth[] {
  const names = new Map(steps.flatMap(({ measurements }) => measurements.map(({ name, title }) => [name, title])));
  return [...names].flatMap(([name, title]) => {
    const found = steps.flatMap((step) => {
      const rates = step.measurements.find((one) => one.name === name)?.perCoreSecond;
      return rates ? [{ sessions: step.sessions, costs: rates.map((rate) => 1 / rate) }] : [];
    });
    const [smallest] = found;
    if (!smallest || found.length < 3) return [];
    const rounds = smallest.costs.map((_, round) => found.map(({ costs }) => costs[round] ?? Number.NaN));
    const sizes = found.map((one) => Math.log10(one.sessions));
    const lineOf = (costs: readonly number[]) =>
      linearRegressionLine(linearRegression(sizes.map((size, index) => [size, costs[index] ?? Number.NaN])));
    const expected = rounds.map((costs) => {
      const line = lineOf(costs);
      return line(Math.log10(sessions)) / line(Math.log10(smallest.sessions));
    });
    const medians = found.map(({ costs }) => median(costs));
    const line = lineOf(medians);
    return [
      {
        name,
        title,
        measured: found.map((one, index) => ({
          sessions: one.sessions,
          ratio: rangeOf(rounds.map((costs) => (costs[index] ?? Number.NaN) / (costs[0] ?? Number.NaN))),
        })),
        expected: { sessions, ratio: rangeOf(expected) },
        misfit: Math.max(...medians.map((cost, index) => Math.abs(cost / line(sizes[index] ?? Number.NaN) - 1))),
      },
    ];
  });
}

/**
 * What is gained in an hour, by the straight line through the samples: its slope, two standard errors less and more. Null of
 * fewer than some samples.
 */
export function hourlyGrowth(soak: MemoryUse['soak']): { least: number; most: number; minutes: number } | null {
  if (soak.length < 10) return null;
  const points = soak.map(({ minutes, bytes }): [number, number] => [minutes, bytes]);
  const line = linearRegression(points);
  const valueAt = linearRegressionLine(line);
  const middle = mean(points.map(([minutes]) => minutes));
  const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
  const error = Math.sqrt(
    squares(points.map(([minutes, bytes]) => bytes - valueAt(minutes))) /
      (points.length - 2) /
      squares(points.map(([minutes]) => minutes - middle)),
  );
  return { least: 60 * (line.m - 2 * error), most: 60 * (line.m + 2 * error), minutes: soak.at(-1)?.minutes ?? 0 };
}
