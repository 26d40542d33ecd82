// Periodic work without a request (sweeps). Each run is taken by one node at a time through an advisory lock; a node that
// does not get it skips this turn.

import type { Log } from '../lib/log.ts';
import type { Database, Queryable } from './database.ts';

export type Job = {
  name: string;
  everySeconds: number;
  /** One small batch; returns whether more of the same is waiting. */
  run(q: Queryable): Promise<boolean>;
};

const JOBS_LOCK_CLASS = 427_032;

/** Runs jobs on their intervals until closed. */
export function startJobs(options: { db: Database; log: Log; jobs: readonly Job[] }) {
  let isClosed = false;
  const timers = options.jobs.map((job) => {
    const timer = setInterval(() => void runJob(job), job.everySeconds * 1000);
    timer.unref();
    return timer;
  });
  const running = new Set<Promise<void>>();

  function runJob(job: Job): Promise<void> {
    const turn = (async () => {
      try {
        let hasMore = true;
        while (hasMore && !isClosed) hasMore = await runOnce(options.db, job);
      } catch (error) {
        options.log.warn({ err: error, job: job.name }, 'job failed, will run again');
      }
    })();
    running.add(turn);
    return turn.finally(() => running.delete(turn));
  }

  async function close() {
    isClosed = true;
    for (const timer of timers) clearInterval(timer);
    await Promise.allSettled(running);
  }

  return { close };
}

/** One turn of a job, if no other node is at it. */
export async function runOnce(db: Database, job: Job): Promise<boolean> {
  return db.transaction(async (q) => {
    const { rows } = await q.builder.raw('select pg_try_advisory_xact_lock(?, hashtext(?)) as taken', [
      JOBS_LOCK_CLASS,
      job.name,
    ]);
    return rows[0]?.taken === true ? job.run(q) : false;
  });
}
