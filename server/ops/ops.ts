// Health, readiness and metrics, on a listener of their own that the public never reaches.

import { createServer, type Server } from 'node:http';
import type { Database } from '../db/database.ts';
import type { Metrics } from '../lib/metrics.ts';
import { findDatabaseState } from './store.ts';

export type Ops = { port: number; setDraining(): void; close(): Promise<void> };

/**
 * Listens on the private port: `/healthz` (the process lives), `/readyz` (it can serve: database answers, not draining),
 * `/metrics`.
 */
export async function listenOps(options: { port: number; host: string; db: Database; metrics: Metrics }): Promise<Ops> {
  let isDraining = false;
  const server: Server = createServer((request, response) => {
    void answer(request.url ?? '').then(({ status, type, body }) => {
      response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
      response.end(body);
    });
  });

  async function answer(path: string): Promise<{ status: number; type: string; body: string }> {
    const plain = (status: number, body: string) => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` });
    if (path === '/healthz') return plain(200, 'ok');
    if (path === '/metrics')
      return { status: 200, type: options.metrics.contentType, body: await options.metrics.text() };
    if (path !== '/readyz') return plain(404, 'not found');
    if (isDraining) return plain(503, 'draining');
    const state = await findDatabaseState(options.db);
    return plain(state === 'ready' ? 200 : 503, state);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Not shared with the other processes of this server.
    server.listen({ port: options.port, host: options.host, exclusive: true }, () => resolve());
  });
  const address = server.address();

  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    setDraining: () => {
      isDraining = true;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
