// Table rate_limits. A key is `<policy>:<what is counted>`; `expire` is the end of its window in milliseconds of the database's
// clock. How limits are counted is in the functions of migrations/20261126202000_ratelimit_take.ts.

import type { Queryable, Row } from '../db/database.ts';
import { noteStatement } from '../db/statement.ts';
import type { Take, Taken } from './ratelimit.ts';

// The table is unlogged: its commits wait neither for the disk nor for a standby.
const TAKE = noteStatement(
  'ratelimit.take',
  'select refused, retry_after_seconds from causeway_take_limits($1, $2, $3)',
);
const GIVE_BACK = noteStatement('ratelimit.give_back', 'select causeway_give_back_limits($1)');

const keysOf = (takes: readonly Take[]) => takes.map(({ policy, key }) => `${policy}:${key}`);

/** The parameters of causeway_take_limits(). */
export const takeValues = (takes: readonly Take[]) =>
  [keysOf(takes), takes.map(({ points }) => points), takes.map(({ seconds }) => seconds)] as const;

/** What causeway_take_limits() says about these. */
export function toTaken(row: Row | undefined, takes: readonly Take[]): Taken {
  const refused = row?.['refused'];
  const policy = typeof refused === 'number' ? takes[refused - 1]?.policy : undefined;
  return policy === undefined
    ? { isAllowed: true }
    : { isAllowed: false, policy, retryAfterSeconds: Number(row?.['retry_after_seconds']) };
}

export async function takeLimits(q: Queryable, takes: readonly Take[]): Promise<Taken> {
  const [row] = await q.run(TAKE, takeValues(takes));
  return toTaken(row, takes);
}

export async function giveBackLimits(q: Queryable, takes: readonly Take[]): Promise<void> {
  await q.run(GIVE_BACK, [keysOf(takes)]);
}

/** One batch of counters whose window is over. */
export async function deleteExpiredCounters(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from rate_limits where key in (
       select key from rate_limits where expire < extract(epoch from clock_timestamp()) * 1000 - 60000 limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}
