/**
 * A stand-in for the Causeway server, for tests of what stands in front of it: it answers what a test tells it to and
 * remembers what reached it. And a small client that may send any Host header, which fetch() may not.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { type DemoSites, startDemoSites } from '../../demo/sites.ts';

type Answerer = (request: IncomingMessage, response: ServerResponse) => void;

export type FakeCauseway = { origin: string; seen: IncomingMessage[]; close(): void };

/** Starts it on a free loopback port; it ends with the test. */
export async function startFakeCauseway(t: ExecutionContext, answer: Answerer): Promise<FakeCauseway> {
  const seen: IncomingMessage[] = [];
  const server = createServer((incoming, response) => {
    seen.push(incoming);
    answer(incoming, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(close);
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, close };
}

/** The demo's sites in front of `causeway`, on a free port; they end with the test. */
export async function startSites(t: ExecutionContext, causeway: string, lines: string[] = []): Promise<DemoSites> {
  const sites = await startDemoSites({
    port: 0,
    host: '127.0.0.1',
    causeway,
    authOrigin: 'http://auth.localhost:8080',
    log: (line) => lines.push(line),
  });
  t.teardown(() => sites.close());
  return sites;
}

export type Visit = { method?: string; headers?: Record<string, string> };

/** Opens `url` on 127.0.0.1 with the host of `url` as Host header; gives the answer as soon as its headers are there. */
export async function open(url: string, { method = 'GET', headers = {} }: Visit = {}): Promise<IncomingMessage> {
  const { host, port } = new URL(url);
  const path = url.slice(url.indexOf('/', 'http://'.length)); // as written: URL would resolve its dots
  const outgoing = request({ host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false });
  outgoing.end();
  const [answer] = await once(outgoing, 'response');
  return answer;
}

/** Opens `url` and reads the whole body. */
export async function read(url: string, visit?: Visit): Promise<{ answer: IncomingMessage; body: string }> {
  const answer = await open(url, visit);
  let body = '';
  for await (const chunk of answer.setEncoding('utf8')) body += chunk;
  return { answer, body };
}
