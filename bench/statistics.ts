// Whether two samples differ: the Mann-Whitney test, by simple-statistics' rank sum and normal distribution.

import { cumulativeStdNormalProbability, median, wilcoxonRankSum } from 'simple-statistics';

export { median };

/**
 * Two-sided p-value of the Mann-Whitney test, by the normal approximation (good from some 20 samples a side).
 * @returns how likely samples of one distribution are to differ at least as much
 */
export function mannWhitney(one: readonly number[], other: readonly number[]): number {
  const [n, m] = [one.length, other.length];
  const mean = (n * (n + m + 1)) / 2;
  const deviation = Math.sqrt((n * m * (n + m + 1)) / 12);
  const z = (wilcoxonRankSum([...one], [...other]) - mean) / deviation;
  return 2 * (1 - cumulativeStdNormalProbability(Math.abs(z)));
}
