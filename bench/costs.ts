// What an operation costs besides time: round trips to PostgreSQL, statements that write, bytes of write-ahead log; and
// what a storm of sign-ins does to everybody else.

import { setTimeout as wait } from 'node:timers/promises';
import * as says from './conversations.ts';
import { startCountingProxy } from './counting_proxy.ts';
import { beside, type Conversation, converseOnce, drive } from './load.ts';
import { CORES, type Measured } from './processes.ts';
import { query, type Stage } from './stage.ts';
import { quantile, summarise } from './statistics.ts';
import type { Runner } from './throughput.ts';

export type OperationCost = {
  title: string;
  roundTrips: number;
  statements: number;
  writes: number;
  walBytes: number;
};

/** Counts what single operations send to PostgreSQL, one after the other on one connection: the dearest case, nothing is shared. */
export async function countCosts({ stage, say }: Runner, times: number): Promise<OperationCost[]> {
  const proxy = await startCountingProxy(stage.databaseUrl);
  const server = await stage.startCauseway({ databaseUrl: proxy.url });
  try {
    const provider = says.causewayProvider(stage);
    const operations: readonly [title: string, conversation: Conversation][] = [
      ['`GET /users/me`', says.usersMe(stage)],
      ['hop', says.hop(stage)],
      ['`POST /login`', says.login(stage)],
      ['`POST /login`, then `GET /logout`', says.logout(stage)],
      ['code flow of the provider', says.codeFlow(provider)],
      ['refresh', says.refresh(provider)],
      ['userinfo', says.userinfo(provider)],
      ['introspection', says.introspection(provider)],
    ];
    const costs: OperationCost[] = [];
    for (const [title, conversation] of operations) {
      const cost = await countOne(stage, { server, traffic: proxy.traffic, conversation, times });
      costs.push({ title, ...cost });
      say(
        `  ${title}: ${cost.roundTrips.toFixed(1)} round trips, ${cost.writes.toFixed(1)} writing statements, ${Math.round(cost.walBytes)} bytes of WAL`,
      );
    }
    return costs;
  } finally {
    await server.stop();
    await proxy.close();
  }
}

const IDLE_MS = 2000;
type Counted = Omit<OperationCost, 'title'>;

async function countOne(
  stage: Stage,
  of: {
    server: Measured;
    traffic: { roundTrips: number; statements: number; writes: number };
    conversation: Conversation;
    times: number;
  },
): Promise<Counted> {
  const warm = limited(of.conversation, 3);
  await converseOnce({ ...of.server, conversation: warm });
  const read = async () => ({ ...of.traffic, walBytes: await walPosition(stage), at: performance.now() });
  // What a node does unasked (jobs, leases, notifications) is counted while it is asked nothing, before and after, and taken off;
  // of the two the quieter one, since PostgreSQL tidies up for a while after what was before.
  const idle = async () => {
    const from = await read();
    await wait(IDLE_MS);
    const to = await read();
    return (key: keyof Counted) => (to[key] - from[key]) / (to.at - from.at);
  };
  const idleBefore = await idle();
  const from = await read();
  let done = 0;
  await converseOnce({ ...of.server, conversation: limited(of.conversation, of.times, () => done++) });
  const to = await read();
  const idleAfter = await idle();
  const each = (key: keyof Counted) => {
    const idleRate = Math.min(idleBefore(key), idleAfter(key));
    return Math.max(0, (to[key] - from[key] - idleRate * (to.at - from.at)) / done);
  };
  return {
    roundTrips: each('roundTrips'),
    statements: each('statements'),
    writes: each('writes'),
    walBytes: each('walBytes'),
  };
}

/** A conversation that ends after some operations. */
function limited(conversation: Conversation, times: number, onDone: () => void = () => undefined): Conversation {
  return function* (index) {
    let left = times;
    const inner = conversation(index, () => {
      left--;
      onDone();
    });
    let next = inner.next();
    while (!next.done && left > 0) next = inner.next(yield next.value);
  };
}

async function walPosition(stage: Stage): Promise<number> {
  const { rows } = await query(stage.databaseUrl, "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes");
  return Number(rows[0]?.bytes);
}

/** What page views met, round by round: their p99 in milliseconds, and how many sign-ins a second there were beside them. */
export type StormRound = { quiet: number; storm: number; signIns: number };
export type Storm = { cores: 'one' | 'two'; rounds: readonly StormRound[] };

/** Page views as they come, far from what the server could answer: some 800 a second. */
const READERS = { connections: 32, restMs: 40 };
const SIGN_INS = 32;

/**
 * p99 of `/users/me` while nothing else happens, and while everybody signs in, with one hash at a time. Readers do not ask as fast
 * as they are answered: with load generator and PostgreSQL on one of two cores that would be work for two and a half, and
 * what is measured would be the wait for a core, whoever has it.
 */
export async function measureStorm({ stage, effort: usual, say }: Runner): Promise<Storm[]> {
  // Longer rounds: the slowest of a hundred is told by the slowest dozens of a thousand and more.
  const effort = { ...usual, rounds: usual.starts * usual.rounds, seconds: 4 * usual.seconds };
  const found: Storm[] = [];
  for (const cores of ['one', 'two'] as const) {
    const server = await stage.startCauseway({
      env: { CAUSEWAY_HASHING_CONCURRENCY: '1' },
      cores: cores === 'one' ? CORES.server : CORES.both,
    });
    const rounds: StormRound[] = [];
    try {
      const me = { ...server, conversation: says.usersMe(stage) };
      const signingIn = { ...server, conversation: says.login(stage), connections: SIGN_INS };
      // Warm by the server's own time, at full speed, then by the clock: who rests between two requests takes hardly any.
      await beside(signingIn, () => drive(me, { ...effort, seconds: 0 }));
      const rested = () => drive({ ...me, ...READERS }, { warmUp: 0, seconds: Infinity, most: effort.seconds });
      for (let round = 0; round < effort.rounds; round++) {
        const quiet = quantile((await rested()).latencies, 0.99);
        const { result, perSecond } = await beside(signingIn, rested);
        rounds.push({ quiet, storm: quantile(result.latencies, 0.99), signIns: perSecond });
      }
    } finally {
      await server.stop();
    }
    const of = (key: keyof StormRound) => summarise(rounds.map((one) => one[key])).median;
    say(
      `  /users/me p99, ${cores} core(s): ${of('quiet').toFixed(1)} ms quiet, ${of('storm').toFixed(1)} ms in a storm of ${of('signIns').toFixed(0)} sign-ins/s`,
    );
    found.push({ cores, rounds });
  }
  return found;
}
