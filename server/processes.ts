// Several processes behind one port (CAUSEWAY_PROCESSES), each a whole node with a lease, a pool and private port of its own. The
// first process serves nothing: it shares out connections, begins another worker when one ends by accident, and ends them all.

import cluster, { type Worker } from 'node:cluster';
import type { Log } from './lib/log.ts';

const AGAIN_MS = 1000;

/** Which of the processes this one is, from 0; null when it is the only one, or the one that watches over the others. */
export function processIndex(): number | null {
  const index = process.argv.indexOf('--process');
  return cluster.isPrimary || index < 0 ? null : Number(process.argv[index + 1]);
}

/**
 * Starts that many workers with the program and environment of this process.
 * @returns once all of them listen, how to end them
 * @throws when one of them ends before it has listened: it has said why itself
 */
export async function startProcesses(options: { count: number; log: Log }): Promise<{ close(): Promise<void> }> {
  const { count, log } = options;
  const workers = new Map<number, Worker>();
  let isClosing = false;

  /** Resolves when the worker listens; rejects when it ends before. */
  function begin(index: number): Promise<void> {
    cluster.setupPrimary({ args: ['--process', String(index)] });
    const worker = cluster.fork();
    workers.set(index, worker);
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('exit', (code, signal) => {
        reject(new Error(`process ${index} ended before it served (${signal ?? `exit code ${code}`})`));
        workers.delete(index);
        if (!isClosing && isServing) again(index, signal ?? code);
      });
    });
  }

  function again(index: number, why: string | number) {
    log.error({ process: index, why }, 'a process has ended, another one begins');
    setTimeout(() => {
      if (!isClosing) begin(index).catch((error: unknown) => log.error({ err: error }, 'the process could not begin'));
    }, AGAIN_MS);
  }

  /** Tells every worker to finish what it does, and waits. */
  async function close() {
    isClosing = true;
    const ended = [...workers.values()].map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const worker of workers.values()) worker.disconnect();
    await Promise.all(ended);
  }

  let isServing = false;
  try {
    // One after the other: the first one runs the migrations, and no worker waits for another's start.
    for (let index = 0; index < count; index++) await begin(index);
  } catch (error) {
    await close();
    throw error;
  }
  isServing = true;
  return { close };
}

/** Tells the process that watches that this one serves, and ends with it. @param end what to do when it is time */
export function followPrimary(end: () => void): void {
  process.on('disconnect', end);
  process.send?.('serving');
}
