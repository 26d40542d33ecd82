// The outbox: work that leaves the house (graphile-worker, schema causeway_jobs). A job is inserted in the transaction of what
// it follows from, so it exists exactly when that does; any node takes it, one at a time (`for update skip locked`), and keeps
// trying with exponential backoff. Delivery is at least once: a node killed between the call and its note calls again.

import { type JobHelpers, Logger, type Runner, runMigrations, run as runWorker } from 'graphile-worker';
import pg from 'pg';
import type { Log } from '../lib/log.ts';
import { type Queryable, TIMEOUTS } from './database.ts';
import type { Job } from './jobs.ts';
import { writeStatement } from './statement.ts';

export type OutboxTask = {
  /** `<feature>.<verb>`. */
  name: string;
  /** Tries until the job is dropped: graphile waits e^n seconds after try n, at most e^10 (6 h). 11 tries take 10 hours. */
  mostTries: number;
  /** One try; throws to be called again, TryAgain to say when. `signal` fires when the node is going and can wait no longer. */
  run(payload: unknown, attempt: { isLast: boolean; signal: AbortSignal }): Promise<void>;
};

/** Thrown by a task that sets its own pace: it is called again after so many seconds, and this try is not counted. */
export class TryAgain extends Error {
  readonly seconds: number;
  constructor(seconds: number) {
    super(`again in ${seconds} s`);
    this.seconds = seconds;
  }
}

export type OutboxJob = {
  payload: object /** Unique; the job is found by it. */;
  key: string /** Jobs for one target share it. */;
  target: string;
};
export type Outbox = ReturnType<typeof createOutbox>;

export const OUTBOX_SCHEMA = 'causeway_jobs';
/** Work in a node at one time. A job mostly waits for somebody else's server and holds no connection of ours meanwhile. */
const CONCURRENCY = 10;
/** Of these for one target; and for one whose last try failed: a server that hangs costs others nothing (reliability R-85). */
const MOST_FOR_TARGET = { well: 3, failing: 1 } as const;
/** One listens; the workers share the others and may queue for them. */
const CONNECTIONS = 3;
const CONNECT_MS = 10_000;
const POLL_MS = 2000;
/** How long a node that is going waits for tries under way before it breaks them off. */
const GRACE_MS = 1000;
const RESTART_MS = 1000;
/** A try takes 5 s and a few statements of at most 5 s; whoever holds a job for longer is dead. */
const STALE_SECONDS = 30;

/** A job for a statement that makes what it follows from, by SQL expressions. */
export const ADD_JOB_SQL = (job: { task: string; tries: string; payload: string; key: string; target: string }) =>
  `${OUTBOX_SCHEMA}.add_job(${job.task}, payload => ${job.payload}, max_attempts => ${job.tries}, job_key => ${job.key}, flags => array[${job.target}])`;
const ADD = writeStatement(
  'outbox.add',
  `select count(${ADD_JOB_SQL({ task: '$1', tries: '$2', payload: 'one.payload', key: 'one.key', target: 'one.target' })})
     from unnest($3::json[], $4::text[], $5::text[]) as one(payload, key, target)`,
);

/** The same job once more, later. Its key is taken from the one under way, which then only has to end. */
const POSTPONE = `select ${OUTBOX_SCHEMA}.add_job($1, payload => $2::json, max_attempts => $3, job_key => $4, flags => $5::text[],
  run_at => now() + make_interval(secs => $6))`;

/** Inserts jobs in the caller's transaction; they are seen by the workers when it commits. */
export async function addJobs(
  q: Queryable,
  task: Pick<OutboxTask, 'name' | 'mostTries'>,
  jobs: readonly OutboxJob[],
): Promise<void> {
  if (jobs.length === 0) return;
  await q.run(ADD, [
    task.name,
    task.mostTries,
    jobs.map(({ payload }) => JSON.stringify(payload)),
    jobs.map(({ key }) => key),
    jobs.map(({ target }) => target),
  ]);
}

/** Makes or updates the worker's own tables. Any number of nodes may call it; run it under the migration lock. */
export async function migrateOutbox(url: string): Promise<void> {
  const pool = openPool(url, { query_timeout: 60_000, statement_timeout: 60_000 });
  try {
    await runMigrations({ pgPool: pool, schema: OUTBOX_SCHEMA, logger: loggerTo(null) });
  } finally {
    await pool.end();
  }
}

/**
 * The workers of this node.
 * @param options url: the database of the jobs; isPrepared: whether statements may be prepared (poolers)
 */
export function createOutbox(options: { url: string; log: Log; isPrepared: boolean; tasks: readonly OutboxTask[] }) {
  const { log } = options;
  const inFlight = new Map<string, number>();
  const failing = new Set<string>();
  let runner: Runner | null = null;
  let isClosed = false;
  let restart: NodeJS.Timeout | undefined;
  const pool = openPool(options.url, { ...TIMEOUTS, connectionTimeoutMillis: CONNECT_MS });

  async function perform(
    task: OutboxTask,
    payload: unknown,
    { job, abortSignal, query }: Pick<JobHelpers, 'job' | 'abortSignal' | 'query'>,
  ) {
    const flags = Object.keys(job.flags ?? {});
    const [target = ''] = flags;
    inFlight.set(target, (inFlight.get(target) ?? 0) + 1);
    try {
      await task.run(payload, {
        isLast: job.attempts >= job.max_attempts,
        signal: abortSignal ?? new AbortController().signal,
      });
      failing.delete(target);
    } catch (error) {
      failing.add(target);
      if (!(error instanceof TryAgain)) throw error;
      await query(POSTPONE, [task.name, JSON.stringify(payload), job.max_attempts, job.key, flags, error.seconds]);
    } finally {
      const left = (inFlight.get(target) ?? 1) - 1;
      if (left > 0) inFlight.set(target, left);
      else inFlight.delete(target);
    }
  }

  /** Targets that have as many jobs under way in this node as they may; the worker leaves further ones where they are. */
  function busyTargets(): string[] {
    return [...inFlight].flatMap(([target, count]) =>
      count >= (failing.has(target) ? MOST_FOR_TARGET.failing : MOST_FOR_TARGET.well) ? [target] : [],
    );
  }

  /** Begins to take jobs. When the database goes away the workers are started again until it is back. */
  async function start(): Promise<void> {
    try {
      const started = await runWorker({
        pgPool: pool,
        schema: OUTBOX_SCHEMA,
        concurrency: CONCURRENCY,
        pollInterval: POLL_MS,
        noHandleSignals: true,
        noPreparedStatements: !options.isPrepared,
        gracefulShutdownAbortTimeout: GRACE_MS,
        parsedCronItems: [],
        forbiddenFlags: busyTargets,
        // In batches, because only then an outage while a job is put back ends the workers, and not the process.
        preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
        logger: loggerTo(log),
        taskList: Object.fromEntries(
          options.tasks.map((task) => [task.name, (payload, helpers) => perform(task, payload, helpers)]),
        ),
      });
      runner = started;
      // stop() settles it too; only an end that nobody asked for is followed by a new start.
      started.promise.then(
        () => again(null, started),
        (error: unknown) => again(error, started),
      );
      if (isClosed) await close();
    } catch (error) {
      again(error, null);
    }
  }

  function again(error: unknown, ended: Runner | null) {
    if (isClosed || runner !== ended) return;
    runner = null;
    log.warn({ err: error }, 'outbox: workers ended, starting again');
    restart = setTimeout(() => void start(), RESTART_MS);
  }

  /** Stops taking jobs, waits a moment for those under way, and lets go of the database. */
  async function close(): Promise<void> {
    isClosed = true;
    clearTimeout(restart);
    const ended = runner;
    runner = null;
    await ended?.stop().catch((error: unknown) => log.warn({ err: error }, 'outbox: workers did not stop cleanly'));
    if (!pool.ending) await pool.end();
  }

  const jobs: readonly Job[] = [{ name: 'outbox.unlock', everySeconds: 10, run: unlockStale }];

  return { start, close, jobs };
}

/** Hands on what a node took and, being dead, cannot finish. graphile-worker itself would wait for four hours. */
async function unlockStale(q: Queryable): Promise<boolean> {
  await q.builder.raw(
    `update ${OUTBOX_SCHEMA}._private_jobs set locked_at = null, locked_by = null where locked_at < now() - make_interval(secs => ${STALE_SECONDS})`,
  );
  return false;
}

function openPool(
  url: string,
  timeouts: { query_timeout: number; statement_timeout: number; connectionTimeoutMillis?: number },
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'causeway-outbox',
    max: CONNECTIONS,
    keepAlive: true,
    ...timeouts,
  });
  // A lost connection is found by whoever asks next; without a listener it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** graphile-worker's own lines. A try that failed is told by its task; here it is detail. */
function loggerTo(log: Log | null) {
  return new Logger(() => (level, message, meta) => {
    const isTrouble = `${level}` === 'error' && meta?.['failure'] !== true;
    log?.[isTrouble ? 'warn' : 'debug']({ worker: message.slice(0, 500) }, 'outbox');
  });
}
