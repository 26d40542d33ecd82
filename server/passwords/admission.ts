// Who may hash when: never more at once than configured, the rest in a queue that is bounded, and between two hashes of a storm a
// short rest. The thread of a hash keeps a core to itself for as long as it lasts; where hash follows hash, whoever answers page
// views, and PostgreSQL on the same machine, share what is left, wherever the system once put them. A rest sorts that out (DECISIONS 98).

import { setTimeout as wait } from 'node:timers/promises';
import PQueue from 'p-queue';
import { AppError, ASKS_NO_MORE } from '../http/errors.ts';

/** Some 1 to 4 s of work for one core, by the library: more would keep a reader waiting without a word. */
const LONGEST_QUEUE_PER_CORE = 200;
const RETRY_AFTER_SECONDS = 3;
/** Little beside a hash, which takes 12 to 50 ms. With 1 ms page views still waited for up to 15 ms, with 4 ms no less than with 2. */
const REST_MS = 2;

export type Admission = ReturnType<typeof createAdmission>;

/**
 * @param options concurrency: works at the same time; rest: what a place does after a work for which others wait, before it is
 *   given to the next
 */
export function createAdmission(options: { concurrency: number; rest?: () => Promise<void> }) {
  const { concurrency, rest = () => wait(REST_MS) } = options;
  const queue = new PQueue({ concurrency });
  const longest = LONGEST_QUEUE_PER_CORE * concurrency;

  /**
   * Does some work when a place is free.
   * @param signal ends the wait, for the place and for the result; what has begun holds its place until it is done, because
   *   nothing stops a hash, and is waited for by who has only said that it asks nothing more
   * @throws AppError unavailable when too many are waiting; the signal's reason
   */
  async function admit<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (queue.size >= longest)
      throw new AppError('unavailable', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        detail: { reason: 'hashing queue full' },
      });
    if (signal?.reason !== ASKS_NO_MORE) signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const inQueue = new AbortController();
    let hasBegun = false;
    const leave = () => {
      if (hasBegun && signal?.reason === ASKS_NO_MORE) return;
      reject(signal?.reason);
      if (!hasBegun) inQueue.abort(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    const workThenRest = async () => {
      hasBegun = true;
      await work().then(resolve, reject);
      signal?.removeEventListener('abort', leave);
      if (queue.size > 0) await rest();
    };
    queue.add(workThenRest, { signal: inQueue.signal }).catch(reject);
    return promise;
  }

  /** Waiting, and running or resting, for metrics. */
  const load = () => ({ waiting: queue.size, running: queue.pending });

  return { admit, load };
}
