// Resident memory of a node: at rest, with very many sessions in use, and whether it goes on growing.

import { setTimeout as wait } from 'node:timers/promises';
import * as says from './conversations.ts';
import { generate } from './generation.ts';
import { type Conversation, converseOnce } from './load.ts';
import { type Measured, residentBytes } from './processes.ts';
import type { Runner } from './throughput.ts';

export type MemoryUse = {
  atRest: number;
  /** The most that was seen from the first of these sessions to the end. */
  inUse: number;
  sessions: number;
  /** After all had been used once, while random ones go on being used. */
  soak: readonly { minutes: number; bytes: number }[];
};

const SAMPLE_EVERY_MS = 3000;
const CONNECTIONS = 64;
/** However slow the machine: as many as can be used in this time. */
const MOST_USE_MS = 480_000;

/** @param extent sessions: each used once, with the settings as they come; soakMinutes: how long random ones are used then */
export async function measureMemory(
  { stage: from, say }: Runner,
  { sessions, soakMinutes }: { sessions: number; soakMinutes: number },
): Promise<MemoryUse> {
  const stage = await from.copy('bench_memory');
  await generate(stage.databaseUrl, sessions);
  // The first start of all compiles the sources and keeps what it made of them; no other holds that compiler.
  await (await stage.startCauseway()).stop();
  const server = await stage.startCauseway();
  try {
    await wait(3000);
    const atRest = residentBytes(server.pid);
    say(`  at rest ${mb(atRest)}`);
    let used = 0;
    const isUseOver = timer(MOST_USE_MS);
    const first = await sampling(server, () => (used < sessions && !isUseOver() ? used++ : null));
    say(
      `  with ${used.toLocaleString('en-US')} sessions used once ${mb(Math.max(...first.map(({ bytes }) => bytes)))} at most`,
    );
    const isSoakOver = timer(soakMinutes * 60_000);
    const soak = await sampling(server, () => (isSoakOver() ? null : Math.floor(Math.random() * used)));
    const inUse = Math.max(...[...first, ...soak].map(({ bytes }) => bytes));
    say(`  ${soak.map(({ bytes }) => mb(bytes)).join(', ')}; ${mb(inUse)} at most`);
    return { atRest, inUse, sessions: used, soak };
  } finally {
    await server.stop();
  }
}

const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** Whether so much time is over. */
function timer(milliseconds: number): () => boolean {
  const end = performance.now() + milliseconds;
  return () => performance.now() > end;
}

/** Resident memory while sessions are used, each connection taking the next until there is none. */
async function sampling(server: Measured, next: () => number | null) {
  const startedAt = performance.now();
  const samples: { minutes: number; bytes: number }[] = [];
  const sample = () =>
    samples.push({ minutes: (performance.now() - startedAt) / 60_000, bytes: residentBytes(server.pid) });
  const every = setInterval(sample, SAMPLE_EVERY_MS);
  try {
    const conversation: Conversation = function* () {
      for (let number = next(); number !== null; number = next()) says.expectMe(yield says.usersMeRequest(number));
    };
    await converseOnce({ ...server, connections: CONNECTIONS, conversation });
    sample();
    return samples;
  } finally {
    clearInterval(every);
  }
}
