// docs/soak.md: what a node holds while its sessions go on being used for long, out of what `npm run bench -- memory --soak 60` found.

import { hourlyGrowth } from './extrapolation.ts';
import type { MemoryUse } from './memory.ts';

/** Shorter ones do not tell: what a collection of garbage leaves differs by as much. */
export const LEAST_SOAK_MINUTES = 20;
const STEP_MINUTES = 5;
const mb = (bytes: number) => (bytes / 1e6).toFixed(1);

/** The page; null of a soak that was too short. */
export function presentSoak(
  { atRest, inUse, sessions, soak }: MemoryUse,
  { machine, at, minutes }: { machine: string; at: string; minutes: number },
): string | null {
  const hour = hourlyGrowth(soak);
  if (!hour || hour.minutes < LEAST_SOAK_MINUTES) return null;
  const steps = Map.groupBy(soak, (sample) => Math.floor(sample.minutes / STEP_MINUTES));
  const rows = [...steps].map(([step, samples]) => {
    const bytes = samples.map((sample) => sample.bytes);
    const mean = bytes.reduce((sum, value) => sum + value, 0) / bytes.length;
    return `| ${step * STEP_MINUTES} to ${(step + 1) * STEP_MINUTES} | ${mb(Math.min(...bytes))} | ${mb(mean)} | ${mb(Math.max(...bytes))} |`;
  });
  return `<!-- Written by \`npm run bench -- memory --soak ${minutes}\`. Do not edit. -->

# Memory while sessions are in use

One node as it comes, ${mb(atRest)} MB at rest. ${sessions.toLocaleString('en-US')} sessions are used once each, then random ones of them by 64
connections without a pause for ${hour.minutes.toFixed(0)} minutes. Resident memory, sampled every three seconds:

| minutes | least (MB) | mean | most |
|---|---|---|---|
${rows.join('\n')}

At most ${mb(inUse)} MB. By the straight line through all samples it gains ${mb(hour.least)} to ${mb(hour.most)} MB in an hour (two standard errors).

${machine}; ${at} UTC.
`;
}
