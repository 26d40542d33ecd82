// Bodies that were read in front of the general way (front/front.ts), which takes them from here: a body can be read only once.

import type { IncomingMessage } from 'node:http';

const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();

/** Notes the body of a request, or that it did not arrive whole. */
export const noteBody = (request: IncomingMessage, body: Promise<Buffer>): void => void bodies.set(request, body);

/** The body of a request, where it was read before. */
export const arrivedBody = (request: IncomingMessage): Promise<Buffer> | undefined => bodies.get(request);
