// How a message is queued: written, encrypted, in the transaction of what it follows from, with the job that delivers it. A
// command of an operator queues too; a running server delivers.

import { randomUUID } from 'node:crypto';
import type { Queryable } from '../db/database.ts';
import { addJobs } from '../db/outbox.ts';
import { parseEmail } from '../lib/email.ts';
import { createVault } from '../lib/seal.ts';
import type { Addressee, Message } from './messages.ts';
import * as store from './store.ts';
import type { TemplateName } from './templates.ts';

export const TASK = { name: 'messages.deliver', mostTries: 11 } as const;
export const KEY_PREFIX = 'message:';

/** What messages wait encrypted in. @param secrets key material, newest first */
export const createMessageVault = (secrets: readonly string[]) => createVault({ secrets, purpose: 'messages' });

/** @param options reaches: the kinds that this installation can send */
export function createMessageQueue(options: {
  secrets: readonly string[];
  reaches: Record<Addressee['kind'], boolean>;
}) {
  const vault = createMessageVault(options.secrets);

  /** Whether messages of that kind can be sent; what needs them is not offered otherwise. */
  const canReach = (kind: Addressee['kind']): boolean => options.reaches[kind];

  /**
   * Queues a message in the caller's transaction. Of a kind that cannot be reached, none is queued.
   * @throws TypeError for an address that parseEmail would not accept, or a number that is not E.164: the caller did not check
   */
  async function send<Name extends TemplateName>(q: Queryable, message: Message<Name>): Promise<void> {
    const { realmId, to, template, locale, client = null, values, expiresInSeconds } = message;
    checkAddressee(to);
    if (!canReach(to.kind)) return;
    const id = randomUUID();
    const sealed = await vault.lock(JSON.stringify({ to, locale, client, values }));
    await store.insertMessage(q, { id, realmId, channel: to.kind, template, sealed, expiresInSeconds });
    await addJobs(q, TASK, [jobOf(id, to.kind)]);
  }

  return { send, canReach };
}

export function jobOf(id: string, channel: string) {
  return { payload: { message: id }, key: `${KEY_PREFIX}${id}`, target: `message:${channel}` };
}

/** Security 146: whatever a caller forgot, no mailer is ever handed an address that is more than one. */
function checkAddressee(to: Addressee): void {
  const isSound =
    to.kind === 'email' ? parseEmail(to.address)?.address === to.address : /^\+[1-9]\d{6,14}$/.test(to.number);
  if (!isSound) throw new TypeError(`Not an ${to.kind} address that can be written to`);
}
