// Failures of requests that were begun in front of the general way (front/front.ts): the general way answers them as its own.
// A write whose fate is not known must not be tried again by ourselves.

import type { IncomingMessage } from 'node:http';
import { DatabaseUnavailable } from '../db/database.ts';
import { Overdue } from '../lib/overdue.ts';

/** Every time limit of ours is longer; a connection that turned out to be broken is told of at once. */
const AT_ONCE_MS = 500;

const failures = new WeakMap<IncomingMessage, unknown>();

/** Notes what a request has failed of. */
export const noteFailure = (request: IncomingMessage, error: unknown): void => void failures.set(request, error);

/** Whether a request has failed of something. */
export const hasFailed = (request: IncomingMessage): boolean => failures.has(request);

/**
 * Whether somebody has waited for PostgreSQL in vain: they do not wait again (reliability R-32). A read whose connection just broke
 * may be begun again.
 * @param startedAt when it was begun, by `performance.now()`
 */
export const hasWaited = (error: unknown, startedAt: number): boolean =>
  (error instanceof DatabaseUnavailable || error instanceof Overdue) && performance.now() - startedAt > AT_ONCE_MS;

/** Throws what a request has failed of, if it has. */
export function throwNoted(request: IncomingMessage): void {
  if (failures.has(request)) throw failures.get(request);
}
