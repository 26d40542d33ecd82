// What a node has read and may go on telling while it holds its lease (db/lease.ts): whatever makes it untrue drops it here before the
// one who changed it is answered. Entries are many, so each is kept small.

import { LRUCache } from 'lru-cache';

/** What a memory asks of the lease. `Read`: its mark of a moment. */
type LeaseOf<Read> = {
  hold(holder: { drop(key: string): void; clear(): void }): void;
  isLive(at: number): boolean;
  now(): number;
  markRead(): Read;
  mayKeep(read: Read, keys: readonly string[]): boolean;
};
/** Taken before a read is sent; what it finds may be kept only if nothing has become untrue since. */
export type ReadMark<Read> = { read: Read; at: number };
type Entry<Value> = { readonly value: Value; readonly until: number; readonly keys: readonly string[] };

/** @param options most: entries at most; 0 keeps nothing */
export function createLeasedMemory<Value, Read>(options: { lease: LeaseOf<Read>; most: number }) {
  const { lease, most } = options;
  /** Names of entries by what makes them untrue; mostly one. */
  const byKey = new Map<string, string | Set<string>>();
  const entries = new LRUCache<string, Entry<Value>>({
    max: Math.max(1, most),
    dispose: ({ keys }, name) => {
      for (const key of keys) forget(key, name);
    },
  });
  lease.hold({
    drop: (key) => {
      const names = byKey.get(key);
      if (typeof names === 'string') entries.delete(names);
      else for (const name of names ?? []) entries.delete(name);
    },
    clear: () => entries.clear(),
  });

  function forget(key: string, name: string): void {
    const names = byKey.get(key);
    if (names === name) byKey.delete(key);
    else if (typeof names === 'object' && names.delete(name) && names.size === 0) byKey.delete(key);
  }

  function note(key: string, name: string): void {
    const names = byKey.get(key);
    if (names === undefined) byKey.set(key, name);
    else if (typeof names === 'string') byKey.set(key, new Set([names, name]));
    else names.add(name);
  }

  /** What is known under a name and may be told at this moment; null when the database must be asked. */
  function peek(name: string): Value | null {
    const entry = entries.get(name);
    if (!entry) return null;
    const now = lease.now();
    return lease.isLive(now) && now < entry.until ? entry.value : null;
  }

  /**
   * Keeps what a read found, unless it may have become untrue meanwhile.
   * @param found keys: what makes it untrue (the triggers of the lease name them); trueForSeconds: after which it is asked for anyway
   */
  function keep(
    name: string,
    found: { value: Value; keys: readonly string[]; trueForSeconds: number; mark: ReadMark<Read> },
  ): void {
    const { value, keys, trueForSeconds, mark } = found;
    if (most === 0 || trueForSeconds <= 0 || !lease.mayKeep(mark.read, keys)) return;
    entries.set(name, { value, until: mark.at + trueForSeconds * 1000, keys });
    for (const key of keys) note(key, name);
  }

  /** Call it before a read is sent. */
  const markRead = (): ReadMark<Read> => ({ read: lease.markRead(), at: lease.now() });

  return { peek, keep, markRead, count: () => entries.size };
}
