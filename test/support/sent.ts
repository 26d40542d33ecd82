// What this process sends to PostgreSQL to serve requests, by the names of its statements.

import pg from 'pg';

/** What serves a request, by name, and what the query builder makes of it; leases, keys and jobs are sent unasked. */
const ASKED = /^(oauth|oidc|accounts|sessions|audit|mfa)\./;
const BUILT =
  /^(?!delete).*"(accounts|sessions|consents|token_families|access_tokens|refresh_tokens|authorization_codes|session_clients)"/;

/**
 * Listens. Call it before the first connection is opened: the pool keeps the function that it finds.
 * @returns lists what is sent while `work` is done, but for what nodes do unasked, and the bounds of transactions
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
    return sent.filter((text) => ASKED.test(text) || BUILT.test(text));
  };
}
