// What the tests of messages share: sending one, and waiting for what becomes of it.

import { OUTBOX_SCHEMA } from '../../server/db/outbox.ts';
import type { TestServer } from '../support/server.ts';
import { SAMPLES } from './samples.ts';

/** Sends a code by e-mail in a transaction of its own. */
export async function sendCode(
  server: TestServer,
  address: string,
  more: { code?: string; expiresInSeconds?: number | null; locale?: string } = {},
): Promise<void> {
  const realmId = (await server.realm()).id;
  const { messages, db } = server.services;
  await db.transaction((q) =>
    messages.send(q, {
      realmId,
      to: { kind: 'email', address },
      template: 'sign-in-code',
      locale: more.locale ?? 'en',
      values: { ...SAMPLES['sign-in-code'], ...(more.code && { code: more.code }) },
      expiresInSeconds: more.expiresInSeconds === undefined ? 600 : more.expiresInSeconds,
    }),
  );
}

/** Resolves once the rows of waiting messages are as `isSo` wants them. */
export async function untilWaiting(
  server: TestServer,
  isSo: (rows: readonly { id: string; attempts: number; last_status: number | null }[]) => boolean,
): Promise<void> {
  for (;;) {
    const rows = await server.services.db.builder('outgoing_messages').select('id', 'attempts', 'last_status');
    if (isSo(rows)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Details of the audit log's `message.undelivered`, oldest first. */
export async function undelivered(server: TestServer): Promise<unknown[]> {
  const rows = await server.services.db
    .builder('audit_events')
    .where({ type: 'message.undelivered' })
    .orderBy('id')
    .select('detail');
  return rows.map(({ detail }) => detail);
}

/** Makes every job of a message due now instead of after its pause; waits until the worker has put one back. */
export async function retryNow(server: TestServer): Promise<void> {
  const { builder } = server.services.db;
  for (;;) {
    const { rowCount } = await builder.raw(
      `update ${OUTBOX_SCHEMA}._private_jobs set run_at = now() where key like 'message:%' and locked_at is null and run_at > now()`,
    );
    if (rowCount > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await builder.raw(`select pg_notify('jobs:insert', '{"count":1}')`);
}
