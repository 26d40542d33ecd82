// Work that waits in the same turn of the event loop is done at once: one statement, one commit, for all who came together.

/** Most that are done together, so that nobody waits for a crowd. */
const MOST_AT_ONCE = 500;

/**
 * @param work does it for all who wait, and returns one outcome for each, in their order; when it throws, all of them fail
 * @returns does it for one, together with whoever else asks in this turn
 */
export function inOneTurn<Asked, Outcome>(
  work: (asked: readonly Asked[]) => Promise<readonly Outcome[]>,
): (asked: Asked) => Promise<Outcome> {
  type Waiting = { asked: Asked; resolve(outcome: Outcome): void; reject(error: unknown): void };
  let waiting: Waiting[] = [];

  function flush() {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += MOST_AT_ONCE) void settle(all.slice(at, at + MOST_AT_ONCE));
  }

  async function settle(group: readonly Waiting[]) {
    try {
      const outcomes = await work(group.map(({ asked }) => asked));
      group.forEach(({ resolve }, index) => {
        resolve(outcomes[index] as Outcome);
      });
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return (asked) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ asked, resolve, reject }) === 1) setImmediate(flush);
    });
}
