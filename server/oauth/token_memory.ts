// Access tokens in use, kept in memory while this node holds its lease (db/lease.ts): asking what one is worth then costs no
// round trip, and one that was revoked, or whose session, account or consent is gone, still counts for nothing anywhere at once.

import { LRUCache } from 'lru-cache';
import type { Lease } from '../db/lease.ts';
import type { TokenHash } from '../lib/ids.ts';
import type { ActiveToken } from './token_store.ts';

type Remembered = { readonly active: ActiveToken; readonly until: number; readonly keys: readonly string[] };
type Mark = { read: ReturnType<Lease['markRead']>; at: number };

export type TokenMemory = ReturnType<typeof createTokenMemory>;

/** @param options most: entries at most; 0 keeps nothing */
export function createTokenMemory(options: {
  lease: Pick<Lease, 'hold' | 'isLive' | 'now' | 'markRead' | 'mayKeep'>;
  most: number;
}) {
  const { lease, most } = options;
  const byKey = new Map<string, Set<string>>();
  const entries = new LRUCache<string, Remembered>({
    max: Math.max(1, most),
    dispose: ({ keys }, name) => {
      for (const key of keys) {
        const names = byKey.get(key);
        names?.delete(name);
        if (names?.size === 0) byKey.delete(key);
      }
    },
  });
  lease.hold({
    drop: (key) => {
      for (const name of byKey.get(key) ?? []) entries.delete(name);
    },
    clear: () => entries.clear(),
  });

  /** What is known of a token and may be answered at this moment; null when the database must be asked. */
  function find(hash: TokenHash): ActiveToken | null {
    const entry = entries.get(nameOf(hash));
    return entry && lease.isLive() && lease.now() < entry.until ? entry.active : null;
  }

  /** Keeps what a read found, unless it may have become untrue meanwhile. */
  function keep(hash: TokenHash, active: ActiveToken, mark: Mark): void {
    const { id, accountId, clientRowId } = active.family;
    const keys = [`family ${id}`, `client ${clientRowId}`, ...(accountId === null ? [] : [`account ${accountId}`])];
    if (most === 0 || active.trueForSeconds <= 0 || !lease.mayKeep(mark.read, keys)) return;
    const name = nameOf(hash);
    entries.set(name, { active, until: mark.at + active.trueForSeconds * 1000, keys });
    for (const key of keys) {
      const names = byKey.get(key) ?? new Set();
      byKey.set(key, names.add(name));
    }
  }

  /** Call it before a read is sent. */
  const markRead = (): Mark => ({ read: lease.markRead(), at: lease.now() });

  return { find, keep, markRead, count: () => entries.size };
}

const nameOf = (hash: TokenHash): string => hash.toString('base64');
