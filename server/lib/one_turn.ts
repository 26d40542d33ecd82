// Work that waits at the same time is done at once: one statement, one commit, for all who came together. While one group is
// under way the next one gathers, so the busier a node is, the more each round trip carries, and the cheaper each of them is.

/** Most that are done together, so that nobody waits for a crowd. */
const MOST_AT_ONCE = 500;
/** A group that takes longer waits for a lock or for the database, and no longer holds back the next one. */
const PATIENCE_MS = 20;

/**
 * @param work does it for all who wait, and returns one outcome for each, in their order; when it throws, all of them fail
 * @returns does it for one, together with whoever else asks in this turn of the event loop, or while others are served
 */
export function inOneTurn<Asked, Outcome>(
  work: (asked: readonly Asked[]) => Promise<readonly Outcome[]>,
): (asked: Asked) => Promise<Outcome> {
  type Waiting = { asked: Asked; resolve(outcome: Outcome): void; reject(error: unknown): void };
  const waiting: Waiting[] = [];
  let isScheduled = false;
  let underWay = 0;

  function schedule() {
    if (isScheduled || waiting.length === 0 || underWay > 0) return;
    isScheduled = true;
    setImmediate(flush);
  }

  function flush() {
    isScheduled = false;
    const group = waiting.splice(0, MOST_AT_ONCE);
    void settle(group);
    schedule();
  }

  async function settle(group: readonly Waiting[]) {
    const done = occupy();
    try {
      const outcomes = await work(group.map(({ asked }) => asked));
      done();
      group.forEach(({ resolve }, index) => {
        resolve(outcomes[index] as Outcome);
      });
    } catch (error) {
      done();
      for (const { reject } of group) reject(error);
    }
  }

  /** Takes one of the places; given back when the group is done, or when it takes too long. */
  function occupy(): () => void {
    underWay++;
    let isHeld = true;
    const release = () => {
      clearTimeout(timer);
      if (!isHeld) return;
      isHeld = false;
      underWay--;
      schedule();
    };
    const timer = setTimeout(release, PATIENCE_MS);
    return release;
  }

  return (asked) =>
    new Promise((resolve, reject) => {
      waiting.push({ asked, resolve, reject });
      schedule();
    });
}
