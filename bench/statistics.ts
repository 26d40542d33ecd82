// Figures about samples: whether two differ (Mann-Whitney), whether several rise or fall in their order (Spearman), by
// simple-statistics' rank sum, rank correlation and normal distribution; and what is said of a few rounds.

import { cumulativeStdNormalProbability, median, sampleRankCorrelation, wilcoxonRankSum } from 'simple-statistics';

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

/** Spearman's rank correlation between the order of samples and their values; two-sided p by the normal approximation. */
export function trend(samples: readonly (readonly number[])[]): { rho: number; p: number } {
  const order = samples.flatMap((values, index) => values.map(() => index));
  const rho = sampleRankCorrelation(order, samples.flat());
  const z = rho * Math.sqrt(order.length - 1);
  return { rho, p: 2 * (1 - cumulativeStdNormalProbability(Math.abs(z))) };
}

/** The middle of some rounds, and how far the furthest is from it, as a part of it. */
export function summarise(values: readonly number[]): { median: number; spread: number } {
  const middle = median([...values]);
  return { median: middle, spread: Math.max(...values.map((value) => Math.abs(value - middle))) / middle };
}

/** The middle of some rounds, and between what it lies. */
export type Range = { median: number; least: number; most: number };

/** How unlikely it may be that what is measured has its median elsewhere. */
const DOUBT = 0.05;

/**
 * The median, and the two rounds between which the median of what is measured lies with 95 % certainty, whatever its
 * distribution (the interval of the sign test); of fewer than six rounds nothing is so certain, and it is all of them.
 */
export function rangeOf(values: readonly number[]): Range {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  // How likely at most `left` of n tosses show heads: so many rounds may be left out at either end.
  let left = -1;
  let term = 2 ** -n;
  for (let sum = term; 2 * sum <= DOUBT; sum += term) {
    left++;
    term *= (n - left) / (left + 1);
  }
  const outside = Math.max(0, left);
  return {
    median: median(sorted),
    least: sorted[outside] ?? Number.NaN,
    most: sorted[n - 1 - outside] ?? Number.NaN,
  };
}

/** The value below which a share of sorted values lies. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
