// Work that waits at the same time is done at once: one statement, one commit, for all who came together. While one group is
// under way the next one gathers, so the busier a node is, the more each round trip carries, and the cheaper each of them is.

import { ANSWERED_WITHIN_MS, Overdue } from './overdue.ts';

/** Most that are done together, so that nobody waits for a crowd. */
const MOST_AT_ONCE = 500;
/**
 * The same of writes. They share a connection, and since a write is not sent again, so many may fail when it breaks: reliability
 * R-35 counts one for one, which holds for reads and for what is written alone. By 50 what a statement and its commit cost beside
 * the rows is a small part of it, and larger groups would be hardly faster.
 */
const MOST_WRITES_AT_ONCE = 50;
/** A group that takes longer waits for a lock or for the database, and no longer holds back the next one. */
const PATIENCE_MS = 20;
/** Groups under way, however long they take: each has a connection, and others want some, too. */
const MOST_UNDER_WAY = 6;
const MOST_WAITING = 10_000;
/** Whoever waited so long for a place is not begun with any more. */
const LONGEST_IN_QUEUE_MS = 2000;

/**
 * Thrown by work that failed for all because of one of them, and has done nothing: each half is done anew, so that in the end
 * it fails for that one alone. It takes about 2 · log2 of their number of statements, one after the other.
 */
export class FailureOfOne extends Error {}

/**
 * @param work does it for all who wait, and returns one outcome for each, in their order; when it throws, all of them fail
 * @param options mostAtOnce: so many share a piece of work; patienceMs: for so long a piece holds back the next one
 * @returns does it for one, together with whoever else asks in this turn of the event loop, or while others are served;
 *   fails with Overdue when that takes too long: what is under way then goes on, and as after a lost COMMIT its outcome is not known
 */
export function inOneTurn<Asked, Outcome>(
  work: (asked: readonly Asked[]) => Promise<readonly Outcome[]>,
  { mostAtOnce = MOST_AT_ONCE, patienceMs = PATIENCE_MS }: { mostAtOnce?: number; patienceMs?: number } = {},
): (asked: Asked) => Promise<Outcome> {
  type Waiting = { asked: Asked; since: number; resolve(outcome: Outcome): void; reject(error: unknown): void };
  const waiting: Waiting[] = [];
  /** Groups under way: noted as groups, since a note of each who asks would be most of the garbage that asking makes. */
  const begun = new Set<readonly Waiting[]>();
  let isScheduled = false;
  let isWatched = false;
  /** How many of them hold back the next one. */
  let young = 0;

  function schedule() {
    if (isScheduled || waiting.length === 0 || young > 0 || begun.size >= MOST_UNDER_WAY) return;
    isScheduled = true;
    setImmediate(flush);
  }

  function flush() {
    isScheduled = false;
    const now = performance.now();
    const inTime = waiting.findIndex(({ since }) => now - since <= LONGEST_IN_QUEUE_MS);
    const late = waiting.splice(0, inTime === -1 ? waiting.length : inTime);
    for (const { reject } of late) reject(new Overdue('too many were before it'));
    const group = waiting.splice(0, mostAtOnce);
    if (group.length > 0) void begin(group);
    schedule();
  }

  /** Takes one of the places until the group is done; the next one waits for it only so long. */
  async function begin(group: readonly Waiting[]) {
    begun.add(group);
    young++;
    let isYoung = true;
    const age = () => {
      clearTimeout(timer);
      if (isYoung) young--;
      isYoung = false;
      schedule();
    };
    const timer = setTimeout(age, patienceMs);
    await settle(group);
    begun.delete(group);
    age();
  }

  async function settle(group: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await work(group.map(({ asked }) => asked));
      group.forEach(({ resolve }, index) => {
        resolve(outcomes[index] as Outcome);
      });
    } catch (error) {
      if (error instanceof FailureOfOne && group.length > 1) {
        const middle = group.length >> 1;
        await settle(group.slice(0, middle));
        return settle(group.slice(middle));
      }
      for (const { reject } of group) reject(error instanceof FailureOfOne ? error.cause : error);
    }
  }

  /** One clock for all of them: a timer for each would cost more than to ask. */
  function watch(afterMs: number) {
    isWatched = true;
    setTimeout(endLate, afterMs).unref();
  }

  /** Who has an answer already takes no notice, and who waits for a place is not begun with after this. */
  function endLate() {
    isWatched = false;
    const now = performance.now();
    let next: number | null = null;
    for (const group of [...begun, waiting])
      for (const { since, reject } of group) {
        const left = ANSWERED_WITHIN_MS - (now - since);
        if (left <= 0) reject(new Overdue('no answer in time'));
        else next = Math.min(next ?? left, left);
      }
    if (next !== null) watch(next);
  }

  return (asked) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= MOST_WAITING) return reject(new Overdue('too many wait'));
      waiting.push({ asked, since: performance.now(), resolve, reject });
      if (!isWatched) watch(ANSWERED_WITHIN_MS);
      schedule();
    });
}

/** The same for work that writes. */
export const writeInOneTurn = <Asked, Outcome>(work: (asked: readonly Asked[]) => Promise<readonly Outcome[]>) =>
  inOneTurn(work, { mostAtOnce: MOST_WRITES_AT_ONCE });
