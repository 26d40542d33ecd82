// The back-channel logout endpoints of clients, one path each, that remember what they are sent and answer as they are told;
// and what a test needs to follow the receipts and jobs behind the calls.

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, type JWTPayload } from 'jose';
import { runOnce } from '../../server/db/jobs.ts';
import { OUTBOX_SCHEMA } from '../../server/db/outbox.ts';
import type { SessionId } from '../../server/lib/ids.ts';
import type { Receipt, ReceiptState } from '../../server/oidc/oidc.ts';
import type { TestServer } from './server.ts';

export type SinkCall = {
  name: string;
  method: string;
  headers: IncomingHttpHeaders;
  body: string;
  token: string;
  claims: JWTPayload;
};
/** A status, or `hang`: no answer until the sink is released. */
export type SinkAnswer = number | 'hang';

/** Starts a sink on loopback. */
export async function startSink() {
  const calls: SinkCall[] = [];
  const answers = new Map<string, SinkAnswer[]>();
  const watchers = new Set<() => void>();
  const held = new Set<ServerResponse>();
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const name = (request.url ?? '/').slice(1);
      const body = Buffer.concat(chunks).toString('utf8');
      const token = new URLSearchParams(body).get('logout_token') ?? '';
      calls.push({
        name,
        method: request.method ?? '',
        headers: request.headers,
        body,
        token,
        claims: token ? decodeJwt(token) : {},
      });
      const planned = answers.get(name) ?? [];
      const answer = (planned.length > 1 ? planned.shift() : planned[0]) ?? 200;
      if (answer === 'hang') held.add(response.on('close', () => held.delete(response)));
      else response.writeHead(answer, answer >= 300 && answer < 400 ? { Location: `${origin}/redirected` } : {}).end();
      for (const look of watchers) look();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const callsOf = (name: string, sid?: string) =>
    calls.filter((call) => call.name === name && (sid === undefined || call.claims['sid'] === sid));

  /** Resolves once an endpoint was called that often, for a session if one is given. */
  function untilCalled(name: string, count: number, sid?: string): Promise<SinkCall[]> {
    return new Promise((resolve) => {
      const look = () => {
        if (callsOf(name, sid).length < count) return;
        watchers.delete(look);
        resolve(callsOf(name, sid));
      };
      watchers.add(look);
      look();
    });
  }

  return {
    origin,
    urlOf: (name: string) => `${origin}/${name}`,
    calls,
    callsOf,
    untilCalled,
    /** What an endpoint answers, one after the other; the last one stays. */
    plan: (name: string, ...planned: SinkAnswer[]) => void answers.set(name, planned),
    held,
    /** Breaks off every call that hangs. */
    release: () => {
      for (const response of held) response.destroy();
    },
    close: () => {
      http.closeAllConnections();
      return new Promise<void>((resolve) => http.close(() => resolve()));
    },
  };
}

/** Receipts of a session, as stored. */
export async function receiptsOf(server: TestServer, session: SessionId): Promise<Receipt[]> {
  return server.services.backChannelLogout.listOfSession((await server.realm()).id, session);
}

/** `{ client: state }` of a session. */
export async function statesOf(server: TestServer, session: SessionId): Promise<Record<string, ReceiptState>> {
  return Object.fromEntries((await receiptsOf(server, session)).map(({ clientId, state }) => [clientId, state]));
}

const announcers = new WeakMap<TestServer, EventEmitter>();

/** Emits `try` whenever a try was announced to that node. */
function announcer(server: TestServer): EventEmitter {
  const known = announcers.get(server);
  if (known) return known;
  const made = new EventEmitter({}).setMaxListeners(0);
  const emit = () => void made.emit('try');
  server.services.notifications.listen('causeway_receipts', { onMessage: emit, onGap: emit });
  announcers.set(server, made);
  return made;
}

/** Resolves with the receipt of a client once it is in that state; it looks again whenever a try was announced. */
export async function untilReceipt(
  server: TestServer,
  of: { session: SessionId; client: string; state: ReceiptState; attempts?: number },
): Promise<Receipt> {
  for (;;) {
    const announced = once(announcer(server), 'try');
    const found = (await receiptsOf(server, of.session)).find(
      ({ clientId, state, attempts }) =>
        clientId === of.client && state === of.state && attempts === (of.attempts ?? attempts),
    );
    if (found) return found;
    await announced;
  }
}

/**
 * Makes the job of a receipt due now instead of after its backoff. Waits until the worker has put it back.
 * @param mostTries changes after how many tries it is given up
 */
export async function retryNow(server: TestServer, receipt: string, mostTries = 11): Promise<void> {
  const { builder } = server.services.db;
  for (;;) {
    const { rowCount } = await builder.raw(
      `update ${OUTBOX_SCHEMA}._private_jobs set run_at = now(), max_attempts = ? where key = ? and locked_at is null and attempts > 0`,
      [mostTries, `logout:${receipt}`],
    );
    if (rowCount === 1) break;
  }
  await builder.raw(`select pg_notify('jobs:insert', '{"count":1}')`);
}

/** What the node does on its own 30 s after another one took jobs and died. */
export async function unlockNow(server: TestServer): Promise<void> {
  const { db, outbox } = server.services;
  await db.builder.raw(
    `update ${OUTBOX_SCHEMA}._private_jobs set locked_at = locked_at - interval '31 seconds' where locked_at is not null`,
  );
  for (const job of outbox.jobs) await runOnce(db, job);
}
