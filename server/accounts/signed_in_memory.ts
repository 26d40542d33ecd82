// Who is signed in, kept in memory while this node holds its lease (db/lease.ts): a page view then costs no round trip, and a
// sign-out still counts everywhere at once. An entry lives a minute at most, so that a session in use is noted as seen.

import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Lease } from '../db/lease.ts';
import type { Host } from '../lib/ids.ts';
import type { Presented } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';

type Single = Extract<Presented, { kind: 'cookie' | 'header' }>;
type ReadMark = ReturnType<Lease['markRead']>;

/** One reader on one host, as read at a moment of the lease's clock. */
export type Remembered = {
  readonly signedIn: SignedIn;
  readonly readAt: number;
  readonly until: number;
  readonly keys: readonly string[];
  /** What the hot route answers; made by it when first asked. */
  answer: { status: number; headers: readonly string[]; body: string; isAscii: boolean } | null;
};

export type SignedInMemory = ReturnType<typeof createSignedInMemory>;

/** @param options most: entries at most; 0 keeps nothing */
export function createSignedInMemory(options: {
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

  /** What is known of a credential and may be answered at this moment; null when the database must be asked. */
  function peek(presented: Single, host: Host): Remembered | null {
    const entry = entries.get(nameOf(presented, host));
    return entry && lease.isLive() && lease.now() < entry.until ? entry : null;
  }

  /** The reader as a read of this moment would find them. */
  function find(presented: Single, host: Host): SignedIn | null {
    const entry = peek(presented, host);
    if (!entry) return null;
    const { account, session } = entry.signedIn;
    const passed = (lease.now() - entry.readAt) / 1000;
    const { ageSeconds, trueForSeconds, ...rest } = session;
    return {
      account,
      session: { ...rest, ageSeconds: ageSeconds + passed, trueForSeconds: trueForSeconds - passed },
    };
  }

  /** Keeps what a read found, unless it may have become untrue meanwhile. */
  function keep(presented: Single, host: Host, signedIn: SignedIn, mark: { read: ReadMark; at: number }): void {
    const { account, session } = signedIn;
    const keys = [`account ${account.id}`, `domain-session ${session.domainSessionId}`];
    if (most === 0 || session.trueForSeconds <= 0 || !lease.mayKeep(mark.read, keys)) return;
    const name = nameOf(presented, host);
    const entry = { signedIn, readAt: mark.at, until: mark.at + session.trueForSeconds * 1000, keys, answer: null };
    entries.set(name, entry);
    for (const key of keys) {
      const names = byKey.get(key) ?? new Set();
      byKey.set(key, names.add(name));
    }
  }

  /** Call it before a read is sent. */
  const markRead = () => ({ read: lease.markRead(), at: lease.now() });

  return { peek, find, keep, markRead, count: () => entries.size };
}

/** The credential itself stays nowhere: entries are known by its SHA-256, as in the database. */
function nameOf(presented: Single, host: Host): string {
  const companion = presented.kind === 'cookie' ? presented.companion : '';
  return hash('sha256', `${host}\n${presented.token}\n${companion}`, 'base64');
}
