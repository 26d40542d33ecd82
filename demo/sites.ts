/**
 * The demo: three publisher sites on three names, one listener. The Host header chooses the site; each site has its
 * own reverse proxy for `/api/auth/v1/*`, as three publishers with three web servers would. contract.md §5.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthProxy } from './auth_proxy.ts';
import { news } from './content/news.ts';
import { shop } from './content/shop.ts';
import { sports } from './content/sports.ts';
import type { MailCatcher } from './mail_catcher.ts';
import { createMailSite, MAIL_HOSTNAME } from './mail_site.ts';
import { createSite } from './site.ts';

const publications = [news, sports, shop];

export type DemoOptions = {
  /** Port of all three sites; 0 lets the system choose, `origins` then tells. */
  port: number;
  /** Address to listen on, e.g. `127.0.0.1`. */
  host: string;
  /** Where Causeway listens, e.g. `http://127.0.0.1:8080`. */
  causeway: string;
  /** Where readers see the sign-in page, e.g. `http://auth.localhost:8080`. */
  authOrigin: string;
  /** Told what goes wrong, one line each. */
  log: (line: string) => void;
  /** Catches what the server sends; shown on a host of its own. */
  catcher?: MailCatcher;
};

export type DemoSites = { origins: string[]; close(): Promise<void> };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Starts the three sites. Resolves when they can be visited, with their origins; rejects when the port is taken.
 * `close()` ends every connection, event streams included, and resolves when the port is free.
 */
export async function startDemoSites(options: DemoOptions): Promise<DemoSites> {
  const handlers = new Map<string, Handler>();
  const server = createServer((request, response) => {
    // Only the name decides. What is unknown here is nobody's site, whatever it claims to be.
    const handler = handlers.get(hostname(request));
    if (handler) handler(request, response);
    else answerUnknownHost(response, origins);
  });
  const port = await listen(server, options);
  const origins = publications.map(({ hostname }) => `http://${hostname}:${port}`);
  for (const [index, publication] of publications.entries()) {
    handlers.set(publication.hostname, createHandler(publication, origins[index] ?? '', { ...options, origins }));
  }
  if (options.catcher) {
    const mailSite = createMailSite({ catcher: options.catcher, log: options.log });
    handlers.set(MAIL_HOSTNAME, (request, response) => void mailSite(request, response));
  }
  return { origins, close: () => close(server) };
}

/** One publisher's web server: the proxy looks first, what it does not want is the site's. */
function createHandler(
  publication: (typeof publications)[number],
  origin: string,
  options: DemoOptions & { origins: string[] },
): Handler {
  const authProxy = createAuthProxy(options);
  const sisters = publications
    .map(({ name }, index) => ({ name, origin: options.origins[index] ?? '' }))
    .filter((sister) => sister.origin !== origin);
  const site = createSite({ ...options, publication, origin, sisters });
  return (request, response) => authProxy(request, response, () => void site(request, response));
}

function hostname(request: IncomingMessage): string {
  return (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
}

function answerUnknownHost(response: ServerResponse, origins: string[]): void {
  response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(`No site of that name is served here. Try one of these:\n\n${origins.join('\n')}\n`);
}

async function listen(server: Server, { port, host }: DemoOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, host, resolve);
  await promise;
  server.off('error', reject);
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections(); // an open event stream would otherwise keep the listener for ever
  await promise;
}
