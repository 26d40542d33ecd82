// The HTTP server with every limit that Node leaves open set, and its orderly end: every answer is the last of its connection, running
// requests finish, idle connections close shortly after, streams are told.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerGenerally, AnswerInFront } from './exchange.ts';
import { KEEP_ALIVE_SECONDS } from './headers.ts';
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
/** Characters of a request target. */
export const LONGEST_TARGET = 8192;

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
  const wire = takeOffTheWire(server, { ...options, refuse: refuseBrokenRequest, firstByteMs: LIMITS.headersTimeout });
  server.on('clientError', refuseBrokenRequest);
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

/** What a raw request line or header section breaks, told before any middleware sees it; null when nothing. */
export function findProtocolFault(request: IncomingMessage): { status: 400 | 414; text: string } | null {
  const target = request.url ?? '';
  if (target.length > LONGEST_TARGET) return { status: 414, text: 'The address is too long.' };
  // RFC 9112 §3.2: a server MUST answer 400 to more than one Host line.
  let hosts = 0;
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    if (request.rawHeaders[index]?.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) return { status: 400, text: 'Send one Host header.' };
  // RFC 9112 §3.2.2: the absolute form is for proxies; its authority could contradict Host.
  if (!target.startsWith('/')) return { status: 400, text: 'Ask for a path.' };
  return null;
}

/** Answers a request that Node's parser gave up on, as JSON and uncacheable like every other answer. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const text =
    status === 431
      ? 'The headers are too large. Delete cookies of this site and try again.'
      : 'The request is malformed.';
  const body = JSON.stringify({ message: text, error: { message: text } });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n` +
      `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
