// Table product_events.

import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { ClientRowId, TokenHash } from '../lib/ids.ts';

/** How long an event is remembered: far beyond the retries of any sender. */
const REMEMBERED = '30 days';

const TAKE = writeStatement(
  'products.take_event',
  `insert into product_events (client_row_id, event_hash, expires_at) values ($1, $2, causeway_now() + interval '${REMEMBERED}')
   on conflict do nothing returning event_hash`,
);

/** Takes an event, in the transaction of what it does; false when it was taken before. A parallel one waits for that one's end. */
export async function takeEvent(q: Queryable, clientRowId: ClientRowId, hash: TokenHash): Promise<boolean> {
  return (await q.run(TAKE, [clientRowId, hash])).length === 1;
}

/** One batch of events that are past their time. True when more may be waiting. */
export async function deleteExpiredEvents(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from product_events where (client_row_id, event_hash) in (
       select client_row_id, event_hash from product_events where expires_at < causeway_now() limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}
