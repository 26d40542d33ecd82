// Failures of requests that were begun in front of the general way (front/front.ts): the general way answers them as its own.
// A write whose fate is not known must not be tried again by ourselves.

import type { IncomingMessage } from 'node:http';

const failures = new WeakMap<IncomingMessage, unknown>();

const LONG_MS = 500;

/** Whether what began then took so long that to try it again would keep whoever asked waiting (reliability R-32). */
export const hasTakenLong = (startedAt: number): boolean => performance.now() - startedAt > LONG_MS;

/** Notes what a request has failed of. */
export const noteFailure = (request: IncomingMessage, error: unknown): void => void failures.set(request, error);

/** Throws what a request has failed of, if it has. */
export function throwNoted(request: IncomingMessage): void {
  if (failures.has(request)) throw failures.get(request);
}
