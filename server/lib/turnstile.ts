// So many at once and no more. Whoever finds no place waits, in the order of coming, and not for ever.

import { Overdue } from './overdue.ts';

export type Turnstile = ReturnType<typeof createTurnstile>;

/** @param options patienceMs: whoever waits longer for a place fails with Overdue, and nothing was done */
export function createTurnstile(options: { places: number; patienceMs: number }) {
  let free = options.places;
  const waiting = new Set<() => void>();

  /** Does work as soon as there is a place for it. */
  async function pass<T>(work: () => Promise<T>): Promise<T> {
    if (free > 0) free--;
    else await queue();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  function queue(): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(enter);
        reject(new Overdue('no place became free in time'));
      }, options.patienceMs);
      waiting.add(enter);
    });
  }

  /** A place goes to whoever waits longest for one. */
  function leave() {
    const [next] = waiting;
    if (!next) {
      free++;
      return;
    }
    waiting.delete(next);
    next();
  }

  return { pass, waiting: () => waiting.size };
}
