// The HTTP server with every limit that Node leaves open set, and its orderly end: every answer is the last of its connection, running
// requests finish, idle connections close shortly after, streams are told.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerGenerally, AnswerInFront } from './exchange.ts';
import { createHead, KEEP_ALIVE_SECONDS } from './headers.ts';
import { LARGEST_HEAD } from './whole_request.ts';
import { takeOffTheWire } from './wire.ts';

const LIMITS = {
  maxHeaderSize: LARGEST_HEAD,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: KEEP_ALIVE_SECONDS * 1000,
  // Node looks at the limits above only this often; its default of 30 s would make them 30 s late.
  connectionsCheckingInterval: 500,
  // Node's own refusal of a missing Host has no body, may be stored, and goes on reading; ours comes with all others.
  requireHostHeader: false,
} as const;
/** While a server ends: as long as a proxy takes to see that it is not ready any more (deploy/ha asks every second). */
const QUIET_MS = 1500;

/** Answers that are given before any middleware: JSON, uncacheable, and with the headers of every other. */
const REFUSALS = {
  400: refusal(400, 'The request is malformed.'),
  405: refusal(405, 'Nothing is tunnelled here.', ['Allow', '']),
  408: refusal(408, 'The request did not arrive in time.'),
  417: refusal(417, 'Nothing but 100-continue can be expected here.'),
  431: refusal(431, 'The headers are too large. Delete cookies of this site and try again.'),
} as const;

function refusal(status: number, text: string, more: readonly string[] = []) {
  const body = JSON.stringify({ message: text, error: { message: text } });
  const constant = ['Content-Type', 'application/json; charset=utf-8', ...more];
  return { head: createHead({ status, constant, names: ['Content-Length'] }), values: [String(body.length)], body };
}

export type Listener = { server: Server; port: number; close(graceSeconds: number): Promise<void> };

/**
 * Listens.
 * @param options answerInFront: what is asked most; answerGenerally: Koa's callback; port 0 picks a free one
 */
export async function listen(options: {
  answerInFront: AnswerInFront;
  answerGenerally: AnswerGenerally;
  port: number;
  host: string;
}): Promise<Listener> {
  const server = createServer(LIMITS);
  server.maxRequestsPerSocket = 0;
  const wire = takeOffTheWire(server, { ...options, refuse: refuseBrokenRequest, firstHeadMs: LIMITS.headersTimeout });
  server.on('clientError', refuseBrokenRequest);
  server.on('connect', refuseTunnel);
  server.on('checkExpectation', refuseExpectation);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  server.removeAllListeners('error');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;

  async function close(graceSeconds: number) {
    const timer = setTimeout(() => wire.destroy(), graceSeconds * 1000);
    // Node would close a connection as idle that waits for an answer made in front of it.
    await wire.drain(Math.min(QUIET_MS, graceSeconds * 1000));
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A connection that has just answered its last request is idle only now.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    await closed;
    clearInterval(sweep);
    clearTimeout(timer);
  }

  return { server, port, close };
}

/** Answers a request that Node's parser gave up on. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  socket.end(refusalOf(status));
}

/** RFC 9110 §9.3.6: nothing is tunnelled, wherever to. */
function refuseTunnel(_request: IncomingMessage, socket: Socket & { _httpMessage?: unknown }) {
  // Another answer is still owed: this one would be taken for it.
  if (socket._httpMessage) return void socket.destroy();
  socket.write(refusalOf(405));
  socket.destroySoon();
}

/** RFC 9110 §10.1.1: nothing but `100-continue` can be expected of us. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse) {
  const { head, values, body } = REFUSALS[417];
  // What comes behind this head may be the body that was asked about, or the next request.
  response.writeHead(head.status, [...head.list(values, []), 'Connection', 'close']);
  response.end(body);
}

const refusalOf = (status: keyof typeof REFUSALS): string => {
  const { head, values, body } = REFUSALS[status];
  return head.text(values, [], false) + body;
};
