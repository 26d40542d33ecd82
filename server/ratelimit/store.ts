// Table rate_limits; its rows are written by rate-limiter-flexible, and only swept here.

import type { Queryable } from '../db/database.ts';

/** One batch of counters whose window is over (the library keeps times in milliseconds of the node's clock). */
export async function deleteExpiredCounters(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from rate_limits where key in (
       select key from rate_limits where expire < extract(epoch from now()) * 1000 - 60000 limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}
