// Passwords are hashed on the threads of libuv's pool. On Linux every thread has a priority of its own: these get a lower one, so
// that in a storm of sign-ins the thread that answers everybody else is never the one that waits for a core.

import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const TASKS = '/proc/self/task';
/** What libuv calls them, from 1.50 on. */
const POOL_THREAD = 'libuv-worker';
/** "Nicer" than the rest by this much (setpriority(2)): some tenth of a share where both want one core. */
const NICENESS = 10;

/** Lets the threads of the pool give way; they must have been started. @returns how many did, 0 where the system has no such thing */
export function lowerPoolPriority(): number {
  try {
    const pool = readdirSync(TASKS).filter((id) => readFileSync(`${TASKS}/${id}/comm`, 'utf8').trim() === POOL_THREAD);
    for (const id of pool) setPriority(Number(id), NICENESS);
    return pool.length;
  } catch {
    return 0;
  }
}
