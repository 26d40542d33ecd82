// Interleaved rounds: A B C, C B A, A B C. What the machine does besides meets all alike, so ratios hold within a run.
// The warm-up and the counted time of a round are measured in processor time of the server, not by the clock: on a shared
// machine a server that gets a tenth of a core needs ten times as long until its code is compiled.

import { loadavg } from 'node:os';
import { type Conversation, drive } from './load.ts';
import type { Measured } from './processes.ts';
import { quantile, summarise } from './statistics.ts';

export type Subject = {
  name: string;
  title: string;
  server: Measured;
  conversation: Conversation;
  connections?: number;
  alsoPid?: number | null;
};
export type Measurement = {
  name: string;
  title: string;
  /** Operations a second, one for each round. */
  perSecond: number[];
  /** Operations for each second of processor time that is counted: what one core does when it has nothing else to do. */
  perCoreSecond: number[];
  p50: number[];
  p99: number[];
};
/**
 * How long: how often servers are started, and rounds of each start; seconds of the server's processor time before and while
 * counting; the longest by the clock. The same program started twice differs by some tenth for as long as it runs, by where its
 * memory came to lie and what was compiled when: rounds of one start alone would be surer of a ratio than they may be.
 */
export type Effort = { starts: number; rounds: number; warmUp: number; seconds: number; most: number };

/** How much of the first warm-up there is before later rounds. */
const WARM_AGAIN = 1 / 128;

/** Measures subjects in turns, each once in every round; every other round in the opposite order. */
export async function measure(
  subjects: readonly Subject[],
  effort: Effort,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const found = subjects.map(({ name, title }) => ({
    name,
    title,
    ...{ perSecond: [] as number[], perCoreSecond: [] as number[], p50: [] as number[], p99: [] as number[] },
  }));
  for (let round = 0; round < effort.rounds; round++) {
    const inTurn = [...subjects.entries()];
    for (const [index, subject] of round % 2 === 0 ? inTurn : inTurn.reverse()) {
      const { server, conversation, connections, alsoPid } = subject;
      // Compiled code stays; after the first round there is less to warm.
      const warmUp = round === 0 ? effort.warmUp : effort.warmUp * WARM_AGAIN;
      const target = { ...server, conversation, ...(connections && { connections }), ...(alsoPid && { alsoPid }) };
      const sample = await drive(target, { ...effort, warmUp });
      const one = found[index];
      if (!one) continue;
      one.perSecond.push(sample.operations / sample.seconds);
      one.perCoreSecond.push(sample.operations / (sample.cpu || sample.seconds));
      one.p50.push(quantile(sample.latencies, 0.5));
      one.p99.push(quantile(sample.latencies, 0.99));
    }
  }
  tell(found, say);
  return found;
}

/** Adds what more rounds found to what is known. */
export function mergeInto(found: Measurement[], more: readonly Measurement[]): void {
  for (const one of more) {
    const known = found.find(({ name }) => name === one.name);
    if (!known) found.push(one);
    else for (const key of ['perSecond', 'perCoreSecond', 'p50', 'p99'] as const) known[key].push(...one[key]);
  }
}

/** Says what was found, and how busy the machine was. */
export function tell(found: readonly Measurement[], say: (line: string) => void): void {
  for (const one of found) say(presentMeasurement(one));
  say(
    `  load of the machine meanwhile: ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
  );
}

/** A measurement in one line. */
export function presentMeasurement(of: Measurement): string {
  const [wall, core] = [summarise(of.perSecond), summarise(of.perCoreSecond)];
  const percent = `${Math.round(100 * core.spread)} %`;
  return `  ${of.title}: ${round(core.median)} per core-second (± ${percent}), ${round(wall.median)}/s, p99 ${summarise(of.p99).median.toFixed(1)} ms`;
}

/** A count with as many digits as it is worth. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value >= 1000 ? -2 : value >= 100 ? 0 : 1;
  const scale = 10 ** digits;
  return (Math.round(value * scale) / scale).toLocaleString('en-US', { maximumFractionDigits: Math.max(0, digits) });
}
