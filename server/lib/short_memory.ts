// What may be some seconds old in memory: configuration, which is asked for at every request and seldom changes. A change is
// announced, and whoever holds such a memory clears it then; the seconds are for announcements that did not arrive.

import { LRUCache } from 'lru-cache';
import { inTime } from './overdue.ts';

const KEPT_MS = 5000;
/** How often the clock is read: at every look-up it would cost more than the look-up. */
const CLOCK_MS = 500;

/**
 * @param options most: entries at most; read: fetches what is not there. What is being read while the memory is cleared still answers
 *   its waiters, and is not kept.
 */
export function createShortMemory<Key extends string, Value extends object>(options: {
  most: number;
  read(key: Key): Promise<Value>;
}): LRUCache<Key, Value> {
  return new LRUCache<Key, Value>({
    max: options.most,
    ttl: KEPT_MS - CLOCK_MS,
    ttlResolution: CLOCK_MS,
    ignoreFetchAbort: true,
    fetchMethod: (key) => inTime(options.read(key)),
  });
}
