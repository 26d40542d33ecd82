// Work on the same thing, one after the other within this node: a secret that is presented a hundred times at once costs one
// expensive step, because whoever comes next finds it used. Across nodes the database decides.

/** Runs work for a key when the work before it for that key is done. */
export function createQueueByKey() {
  const last = new Map<string, Promise<unknown>>();

  return async function run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = last.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (last.get(key) === turn) last.delete(key);
    }
  };
}
