// Tables pushed_requests and used_identifiers: what may be used once, on all nodes.

import type { Queryable } from '../db/database.ts';
import { writeStatement } from '../db/statement.ts';
import type { ClientRowId, TokenHash } from '../lib/ids.ts';

const USE_IDENTIFIER = writeStatement(
  'oauth.use_identifier',
  `insert into used_identifiers (id_hash, expires_at) values ($1, causeway_now() + make_interval(secs => $2::integer)) on conflict do nothing returning id_hash`,
);
const INSERT_PUSHED = writeStatement(
  'oauth.insert_pushed',
  `insert into pushed_requests (handle_hash, client_row_id, parameters, expires_at) values ($1, $2, $3, causeway_now() + make_interval(secs => $4::integer))`,
);
const CONSUME_PUSHED = writeStatement(
  'oauth.consume_pushed',
  `update pushed_requests set consumed_at = causeway_now() where handle_hash = $1 and client_row_id = $2 and consumed_at is null and expires_at > causeway_now() returning parameters`,
);

/** Takes an identifier that may be used once (`jti`); false when it was taken before. */
export async function useIdentifier(q: Queryable, hash: TokenHash, ttlSeconds: number): Promise<boolean> {
  return (await q.run(USE_IDENTIFIER, [hash, ttlSeconds])).length === 1;
}

export async function insertPushedRequest(
  q: Queryable,
  pushed: { hash: TokenHash; clientRowId: ClientRowId; parameters: Record<string, string>; ttlSeconds: number },
): Promise<void> {
  await q.run(INSERT_PUSHED, [pushed.hash, pushed.clientRowId, JSON.stringify(pushed.parameters), pushed.ttlSeconds]);
}

export async function consumePushedRequest(
  q: Queryable,
  hash: TokenHash,
  clientRowId: ClientRowId,
): Promise<Record<string, string> | null> {
  const [row] = await q.run(CONSUME_PUSHED, [hash, clientRowId]);
  return row ? (row['parameters'] as Record<string, string>) : null;
}
