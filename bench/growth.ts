// Whether it stays as fast when the database grows: session checks, hops and sign-ins of random readers in databases of several
// sizes, in turns, so that the machine's moods meet all sizes alike; and the plan by which PostgreSQL finds a session.
// A larger database costs PostgreSQL, so its processor time counts together with the server's.

import * as says from './conversations.ts';
import { generate, generatedEmail, SESSIONS_PER_ACCOUNT } from './generation.ts';
import { findEnteredPlan } from './growth_plan.ts';
import { type Conversation, converseOnce } from './load.ts';
import { type Measurement, measure, type Subject } from './rounds.ts';
import { postmasterOf, query, type Stage } from './stage.ts';
import type { Runner } from './throughput.ts';

export type GrowthStep = {
  sessions: number;
  accounts: number;
  /** Of the database with its indexes. */
  bytes: number;
  measurements: Measurement[];
  plan: string;
};

/** The longest that a size may take to generate, judged by the one before. */
const MOST_GENERATION_SECONDS = 900;

type Operation = Pick<Subject, 'name' | 'title' | 'connections'> & {
  conversation(sessions: number): Conversation;
  /** The smallest size that it can be measured at. */
  least?: number;
};
const OPERATIONS: readonly Operation[] = [
  { name: 'me', title: '`GET /users/me`', conversation: (sessions) => says.usersMeOf(oddBelow(sessions)) },
  {
    name: 'me-first',
    title: '`GET /users/me`, first in a minute',
    conversation: (sessions) => says.usersMeOf(evenInTurn(sessions)),
    // Of fewer, all would have been met within the minute.
    least: 50_000,
  },
  { name: 'hop', title: 'hop', conversation: (sessions) => says.hopOf(oddBelow(sessions)) },
  {
    name: 'login',
    title: '`POST /login`',
    conversation: (sessions) => says.loginOf(() => generatedEmail(below(sessions / SESSIONS_PER_ACCOUNT))),
    connections: 4,
  },
];

/** Session memory is off, since most readers are met once. */
export async function measureGrowth({ stage, effort, say }: Runner, sizes: readonly number[]): Promise<GrowthStep[]> {
  const grown: Awaited<ReturnType<typeof grow>>[] = [];
  try {
    let last = { sessions: 1, seconds: 0 };
    for (const sessions of sizes) {
      const expected = (last.seconds * sessions) / last.sessions;
      if (expected > MOST_GENERATION_SECONDS) {
        say(`  ${count(sessions)} sessions would take ${Math.round(expected / 60)} minutes to generate here`);
        break;
      }
      const one = await grow(stage, sessions);
      grown.push(one);
      last = one;
      say(`  ${count(sessions)} sessions (generated in ${Math.round(one.seconds)} s)`);
    }
    // What one size left in memory, the next one's generation drove out.
    for (const one of grown) await warm(one);
    const alsoPid = await postmasterOf(stage.databaseUrl);
    const subjects = OPERATIONS.flatMap(({ name, title, connections, conversation, least = 0 }) =>
      grown
        .filter(({ sessions }) => sessions >= least)
        .map(({ server, sessions }) => ({
          ...{ name: `${name} ${sessions}`, title: `${title} among ${count(sessions)}`, server, alsoPid },
          ...(connections && { connections }),
          conversation: conversation(sessions),
        })),
    );
    // Each server is asked by all operations, so it warms in the first of them; and the first in a minute end with the minute.
    // Generating takes too long to do it for each start: the servers run through, and all rounds are theirs.
    const rounds = effort.starts * effort.rounds;
    const measurements = await measure(subjects, { ...effort, rounds, warmUp: effort.warmUp / 4 }, say);
    const steps: GrowthStep[] = [];
    for (const { sessions, stage: own } of grown) {
      const { rows } = await query(own.databaseUrl, 'select pg_database_size(current_database()) as bytes');
      steps.push({
        sessions,
        accounts: Math.ceil(sessions / SESSIONS_PER_ACCOUNT),
        bytes: Number(rows[0]?.bytes),
        measurements: OPERATIONS.flatMap(({ name, title }) => {
          const found = measurements.find((one) => one.name === `${name} ${sessions}`);
          return found ? [{ ...found, name, title }] : [];
        }),
        plan: await findEnteredPlan(own, sessions),
      });
    }
    return steps;
  } finally {
    for (const { server } of grown) await server.stop();
  }
}

async function grow(from: Stage, sessions: number) {
  const startedAt = performance.now();
  const stage = await from.copy(`bench_growth_${sessions}`);
  await generate(stage.databaseUrl, sessions);
  const seconds = (performance.now() - startedAt) / 1000;
  return { stage, sessions, seconds, server: await stage.startCauseway({ env: { CAUSEWAY_SESSION_MEMORY: '0' } }) };
}

/**
 * As after a day's work: what fits of tables and indexes is in PostgreSQL's shared buffers, and its processes have met it there. A page
 * that one of them meets first costs it a page fault, ten in an operation among 5,000,000, hardly any after so many operations.
 */
async function warm({ stage, server, sessions }: Awaited<ReturnType<typeof grow>>): Promise<void> {
  await query(stage.databaseUrl, 'create extension if not exists pg_prewarm');
  await query(
    stage.databaseUrl,
    "select pg_prewarm(oid) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')",
  );
  let left = sessions / 100;
  const random = oddBelow(sessions);
  const conversation: Conversation = function* () {
    while (left-- > 0) says.expectMe(yield says.usersMeRequest(random()));
  };
  await converseOnce({ ...server, connections: 64, conversation });
}

const count = (value: number) => value.toLocaleString('en-US');
const below = (limit: number) => Math.floor(Math.random() * limit);
/** Sessions that count as just seen (generation.ts). */
const oddBelow = (limit: number) => () => 2 * below(limit / 2) + 1;

/** Sessions that do not, each once before any comes again, far from the one before. */
function evenInTurn(limit: number): () => number {
  let turn = 0;
  return () => 2 * ((turn++ * 1_000_003) % (limit / 2));
}
