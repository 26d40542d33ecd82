// Access tokens in use, kept in memory while this node holds its lease (db/lease.ts): asking what one is worth then costs no
// round trip, and one that was revoked, or whose session, account or consent is gone, still counts for nothing anywhere at once.

import type { Lease } from '../db/lease.ts';
import type { TokenHash } from '../lib/ids.ts';
import { createLeasedMemory, type ReadMark } from '../lib/leased_memory.ts';
import type { ActiveToken } from './token_store.ts';

type Mark = ReturnType<Lease['markRead']>;

export type TokenMemory = ReturnType<typeof createTokenMemory>;

/** @param options most: entries at most; 0 keeps nothing */
export function createTokenMemory(options: {
  lease: Pick<Lease, 'hold' | 'isLive' | 'now' | 'markRead' | 'mayKeep'>;
  most: number;
}) {
  const memory = createLeasedMemory<ActiveToken, Mark>(options);

  /** What is known of a token and may be answered at this moment; null when the database must be asked. */
  const find = (hash: TokenHash): ActiveToken | null => memory.peek(nameOf(hash));

  /** Keeps what a read found, unless it may have become untrue meanwhile. */
  function keep(hash: TokenHash, active: ActiveToken, mark: ReadMark<Mark>): void {
    const { id, accountId, clientRowId } = active.family;
    const keys = [`family ${id}`, `client ${clientRowId}`, ...(accountId === null ? [] : [`account ${accountId}`])];
    memory.keep(nameOf(hash), { value: active, keys, trueForSeconds: active.trueForSeconds, mark });
  }

  return { find, keep, markRead: memory.markRead, count: memory.count };
}

const nameOf = (hash: TokenHash): string => hash.toString('base64');
