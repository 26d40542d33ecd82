// The HTTP server with every limit that Node leaves open set, and its orderly end: no new work, running requests finish,
// idle connections close, streams are told.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  // Longer than a proxy keeps its own idle connections (nginx 60 s), so that we never close one it is about to use.
  keepAliveTimeout: 65_000,
  // Node looks at the limits above only this often; its default of 30 s would make them 30 s late.
  connectionsCheckingInterval: 500,
  // Node's own refusal of a missing Host has no body, may be stored, and goes on reading; ours comes with all others.
  requireHostHeader: false,
} as const;
/** Characters of a request target. */
export const LONGEST_TARGET = 8192;

export type Listener = { server: Server; port: number; close(graceSeconds: number): Promise<void> };

/**
 * Listens.
 * @param options handle: Koa's callback; port 0 picks a free one
 */
export async function listen(options: {
  handle: (request: IncomingMessage, response: import('node:http').ServerResponse) => unknown;
  port: number;
  host: string;
}): Promise<Listener> {
  const server = createServer(LIMITS, (request, response) => void options.handle(request, response));
  server.maxRequestsPerSocket = 0;
  server.on('clientError', refuseBrokenRequest);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  server.removeAllListeners('error');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;

  async function close(graceSeconds: number) {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A connection that has just answered its last request is idle only now.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    const timer = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
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
