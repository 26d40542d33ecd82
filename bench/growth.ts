// Whether it stays as fast when the database grows: session checks of random readers, hops and sign-ins at several sizes, and
// the plan by which PostgreSQL finds a session.

import * as says from './conversations.ts';
import { addSessions, usersMeOf } from './costs.ts';
import { findEnteredPlan } from './growth_plan.ts';
import type { Conversation } from './load.ts';
import { type Measurement, measure } from './rounds.ts';
import type { Runner } from './throughput.ts';

export type GrowthStep = { sessions: number; accounts: number; measurements: Measurement[]; plan: string };

/** Measures at each size in turn, the smallest first; session memory is off, since most readers are met once. */
export async function measureGrowth(runner: Runner, sizes: readonly number[]): Promise<GrowthStep[]> {
  const { stage, effort, say } = runner;
  const steps: GrowthStep[] = [];
  for (const sessions of sizes) {
    const startedAt = performance.now();
    await addSessions(stage, sessions);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
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
