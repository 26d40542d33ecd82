// What this process sends to PostgreSQL, by the names of its statements.

import pg from 'pg';

/** What nodes send unasked: leases, keys that are read anew, jobs and their transactions. */
const UNASKED =
  /^(lease\.|keys\.|realms\.|clients\.find|begin|commit|rollback|listen|delete from|select pg_)|graphile|get_job|advisory/i;

/**
 * Listens. Call it before the first connection is opened: the pool keeps the function that it finds.
 * @returns lists what is sent while `work` is done, but for what nodes do unasked
 */
export function listenToStatements(): (work: () => Promise<unknown>) => Promise<string[]> {
  let sent: string[] = [];
  const query = pg.Client.prototype.query as (...given: unknown[]) => unknown;
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    const first = given[0] as { name?: string; text?: string } | string;
    sent.push(typeof first === 'string' ? first : (first.name ?? first.text ?? ''));
    return query.apply(this, given);
  } as typeof pg.Client.prototype.query;
  return async (work) => {
    sent = [];
    await work();
    return sent.filter((text) => !UNASKED.test(text));
  };
}
