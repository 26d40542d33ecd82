/**
 * The one thing a publisher's web server has to do for Causeway: hand `/api/auth/v1/*` on to it, and nothing else (`/api/login/*`
 * too where pages sign in with a token that another provider's script has given them).
 * Whatever you use in production (nginx, Caddy, a CDN), these are the points to carry over:
 * Host kept · X-Forwarded-For written by us, not by the reader · no buffering · hang up when the reader hangs up.
 * contract.md §1 and §5.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createProxyMiddleware } from 'http-proxy-middleware';

/** Everything below this path belongs to Causeway; everything else on the host is the publisher's own. */
export const AUTH_PREFIX = '/api/auth/v1/';
const PREFIXES = [AUTH_PREFIX, '/api/login/'];

/** Passes a request on when it is for Causeway, calls `next` when it is for the site itself. */
export type AuthProxy = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export type AuthProxyOptions = {
  /** Where Causeway listens, e.g. `http://127.0.0.1:8080`. */
  causeway: string;
  /** Told about answers that could not be had, one line each. */
  log: (line: string) => void;
  /** How long Causeway may take to begin its answer, milliseconds. Event streams, once begun, may last for ever. */
  answerTimeoutMs?: number;
};

/** Makes the reverse proxy of one site. */
export function createAuthProxy({ causeway, log, answerTimeoutMs = 20_000 }: AuthProxyOptions): AuthProxy {
  const proxy = createProxyMiddleware<IncomingMessage, ServerResponse>({
    target: causeway,
    // Causeway finds the realm and the client by the host the reader sees, so the Host header stays as it came.
    changeOrigin: false,
    pathFilter: (_path, request) => isForCauseway(request.url ?? ''),
    on: {
      proxyReq(upstream, _request, response) {
        // A reader who closes the tab must free the event stream on the server too.
        response.once('close', () => upstream.destroy());
        upstream.setTimeout(answerTimeoutMs, () => upstream.destroy(new Error('no answer in time')));
      },
      proxyRes(answer, _request, response) {
        answer.socket.setTimeout(0);
        // An answer cut short must look cut short, not complete.
        answer.once('error', () => response.destroy());
        if (answer.headers['content-type']?.startsWith('text/event-stream')) {
          // The first event may be hours away: send the headers now (they are copied right after this callback).
          queueMicrotask(() => response.flushHeaders());
        }
      },
      error(error, request, response) {
        if (!('writeHead' in response) || response.headersSent || response.destroyed) {
          response.destroy();
          return;
        }
        log(`${request.headers.host}: no answer from the sign-in server (${error.message || error.name})`);
        answerUnavailable(response);
      },
    },
  });
  return (request, response, next) => {
    replaceForwardedHeaders(request);
    void proxy(request, response, next);
  };
}

/** True for targets below a prefix, both as written and after `.`/`..` segments (also `%2e`) are resolved. */
export function isForCauseway(target: string): boolean {
  const isBelow = (path: string) => PREFIXES.some((prefix) => path.startsWith(prefix));
  if (!isBelow(target)) return false;
  // `/api/auth/v1/../../metrics` would otherwise reach paths of the server that are not public on this host.
  return URL.canParse(`http://site${target}`) && isBelow(new URL(`http://site${target}`).pathname);
}

/**
 * This proxy is the first machine that the reader meets, so nothing that the reader says about forwarding is to be
 * believed: headers are replaced, never extended. (Behind a CDN of yours, extend what the CDN wrote instead.)
 */
function replaceForwardedHeaders(request: IncomingMessage): void {
  for (const name of ['forwarded', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip']) delete request.headers[name];
  request.headers['x-forwarded-for'] = request.socket.remoteAddress ?? '';
  request.headers['x-forwarded-proto'] = 'http'; // the demo speaks plain http on *.localhost; yours says https
  delete request.headers.expect; // already answered by node:http with "100 Continue"
}

/** 502 in the shape of every other failure of this API, since its callers parse each answer as JSON (contract.md §2). */
function answerUnavailable(response: ServerResponse): void {
  const message = 'The sign-in server cannot be reached just now. Please try again in a moment.';
  response.writeHead(502, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'Retry-After': '5',
  });
  response.end(JSON.stringify({ message, error: { message } }));
}
