// Whether it stays as fast when the database grows: session checks of random readers, hops and sign-ins at several sizes, and
// the plan by which PostgreSQL finds a session.

import * as says from './conversations.ts';
import { addSessions, usersMeOf } from './costs.ts';
import { findEnteredPlan } from './growth_plan.ts';
import type { Conversation } from './load.ts';
import { type Measurement, measure } from './rounds.ts';
import type { Runner } from './throughput.ts';

export type GrowthStep = { sessions: number; accounts: number; measurements: Measurement[]; plan: string };

/** The longest that a size may take to generate, judged by the one before, a tenth of it. */
const MOST_GENERATION_SECONDS = 900;
const GROWTH = 10;

/** Measures at each size in turn, the smallest first; session memory is off, since most readers are met once. */
export async function measureGrowth(runner: Runner, sizes: readonly number[]): Promise<GrowthStep[]> {
  const { stage, effort, say } = runner;
  const steps: GrowthStep[] = [];
  let expected = 0;
  for (const sessions of sizes) {
    if (expected > MOST_GENERATION_SECONDS) {
      say(
        `  ${sessions.toLocaleString('en-US')} sessions would take ${Math.round(expected / 60)} minutes to generate here`,
      );
      break;
    }
    const startedAt = performance.now();
    await addSessions(stage, sessions);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    expected = seconds * GROWTH;
    say(`  ${sessions.toLocaleString('en-US')} sessions (generated in ${seconds} s)`);
    const server = await stage.startCauseway({ env: { CAUSEWAY_SESSION_MEMORY: '0' } });
    try {
      const measurements = await measure(
        [
          { name: 'me', title: '`GET /users/me` of random readers', server, conversation: anybody(sessions) },
          { name: 'hop', title: 'hop', server, conversation: says.hop(stage) },
          { name: 'login', title: '`POST /login`', server, conversation: says.login(stage), connections: 4 },
        ],
        effort,
        say,
      );
      steps.push({ sessions, accounts: sessions / 5, measurements, plan: await findEnteredPlan(stage, sessions) });
    } finally {
      await server.stop();
    }
  }
  return steps;
}

/** Another reader at every request. */
const anybody = (sessions: number): Conversation =>
  function* (_index, done) {
    for (;;) {
      says.expectMe(yield usersMeOf(Math.floor(Math.random() * sessions)));
      done();
    }
  };
