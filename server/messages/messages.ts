// Outgoing e-mails and text messages. A message is written in the transaction of what it follows from and leaves by the
// outbox: whoever asked for it waits neither for the mail server nor for its outage. Codes and links are encrypted while they
// wait, and in no log.

import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import { addJobs, OUTBOX_SCHEMA, type OutboxTask, TryAgain } from '../db/outbox.ts';
import type { Brand } from '../http/brand.ts';
import type { Pages } from '../http/page.ts';
import { parseLimit } from '../lib/duration.ts';
import type { ClientRowId, RealmId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { hashToken } from '../lib/token.ts';
import type { RateLimits, Take, Taken } from '../ratelimit/ratelimit.ts';
import { createMessageQueue, createMessageVault, jobOf, KEY_PREFIX, TASK } from './queue.ts';
import { createRenderer, type Draft } from './render.ts';
import type { Outcome, Smtp } from './smtp.ts';
import * as store from './store.ts';
import { isTemplate, type TEMPLATES, type TemplateName, type ValuesOf } from './templates.ts';
import type { TextWebhook } from './text_webhook.ts';

export { createMessageQueue } from './queue.ts';
export { createSmtp } from './smtp.ts';
export { TEMPLATES, type TemplateName, type ValuesOf } from './templates.ts';
export { createTextWebhook } from './text_webhook.ts';

export type Addressee = { kind: 'email'; address: string } | { kind: 'phone'; number: string /** E.164 */ };
export type Message<Name extends TemplateName = TemplateName> = {
  realmId: RealmId;
  to: Extract<Addressee, { kind: (typeof TEMPLATES)[Name]['channel'] }>;
  template: Name;
  /** The reader's; the nearest that we have is taken. */
  locale: string;
  /** The client for which the reader came, if it is known: the message takes its brand. */
  client?: ClientRowId | null;
  values: ValuesOf<Name>;
  /** Dropped unsent after this (database clock); null for notices, which are worth sending a day late. */
  expiresInSeconds: number | null;
};
/** What a message shows of its realm. */
export type Sender = {
  slug: string;
  authHost: string;
  brand: Brand;
  /** Language of the realm, and those that it offers. */
  locale: string;
  locales: readonly string[];
};
/** A realm, as far as its limits go. */
type Limited = { id: RealmId; settings: { messages_per_recipient: string; messages_per_address: string } };
type Sealed = { to: Addressee; locale: string; client?: ClientRowId | null; values: Record<string, string | number> };

export type Messages = ReturnType<typeof createMessages>;

/** Tries follow each other after 2, 4, 8 and then every 10 s: what waited is sent within 30 s of a recovery (reliability R-83). */
const LONGEST_PAUSE_SECONDS = 10;
const UNREADABLE_PAUSE_SECONDS = 60;
const LONGEST_SECONDS = 86_400;

/** @param options smtp, texts: null where the operator has none; senderOf: null once a realm is gone; from: null for no-reply@ the auth domain */
export function createMessages(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  views: Pages;
  secrets: readonly string[];
  log: Log;
  smtp: Smtp | null;
  from: string | null;
  texts: TextWebhook | null;
  senderOf(realmId: RealmId, client: ClientRowId | null): Promise<Sender | null>;
  /** Counts what became of a try. */
  count(message: { channel: string; outcome: string }): void;
}) {
  const { db, audit, log, smtp, texts } = options;
  const vault = createMessageVault(options.secrets);
  const renderer = createRenderer({ views: options.views });

  const { send, canReach } = createMessageQueue({
    secrets: options.secrets,
    reaches: { email: smtp !== null, phone: texts !== null },
  });

  /** One try. Throws to be called again. */
  async function deliver(payload: unknown, { signal }: { signal: AbortSignal }): Promise<void> {
    const stored = await store.findMessage(db, String((payload as { message?: unknown }).message));
    if (!stored || !isTemplate(stored.template)) return;
    if (stored.isExpired) return giveUp(stored, { reason: 'expired', status: null });
    if (stored.ageSeconds > LONGEST_SECONDS) return giveUp(stored, { reason: 'gave-up', status: null });
    const opened = await vault.unlock(stored.sealed);
    if (opened === null) {
      log.warn(
        { message: stored.id },
        'CAUSEWAY_SECRET does not open a waiting message. Add the secret of the node that wrote it: new,old',
      );
      throw new TryAgain(UNREADABLE_PAUSE_SECONDS);
    }
    const { to, locale, client, values } = JSON.parse(opened) as Sealed;
    const sender = await options.senderOf(stored.realmId, client ?? null);
    if (!sender) return;
    const draft = {
      template: stored.template,
      locale,
      values,
      brand: sender.brand,
      realm: { slug: sender.slug, locale: sender.locale, locales: sender.locales },
      host: sender.authHost,
      to: to.kind === 'email' ? to.address : to.number,
    };
    const outcome = await hand(stored.id, { draft, sender, kind: to.kind }, signal);
    await settle(stored, outcome, signal);
  }

  /** Gives a message to the mail server or to the webhook. */
  async function hand(
    id: string,
    { draft, sender, kind }: { draft: Draft; sender: Sender; kind: Addressee['kind'] },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const nobody: Outcome = { state: 'failed', status: null, reason: 'not configured on this node' };
    const { template, locale, to } = draft;
    if (kind === 'phone')
      return (
        texts?.send({ id, to, text: renderer.text(draft), template, locale, realm: sender.slug }, signal) ?? nobody
      );
    if (!smtp) return nobody;
    const domain = sender.authHost.replace(/:\d+$/, '');
    return smtp.send(
      {
        ...renderer.mail(draft),
        messageId: `<${id}@${domain}>`,
        from: { name: sender.brand.name, address: options.from ?? `no-reply@${domain}` },
        to: { name: '', address: to },
        locale,
      },
      signal,
    );
  }

  async function settle(stored: store.StoredMessage, outcome: Outcome, signal: AbortSignal): Promise<void> {
    const { id, template, channel, attempts } = stored;
    if (outcome.state === 'sent') {
      options.count({ channel, outcome: 'sent' });
      log.info({ message: id, template, channel }, 'message sent');
      return store.deleteMessage(db, id);
    }
    // The node is going: what the broken-off try would have brought is for another to find out.
    if (signal.aborted) throw new Error('broken off');
    const { status, reason } = outcome;
    log.warn(
      { message: id, template, channel, attempt: attempts + 1, state: outcome.state, reason },
      'message not sent',
    );
    if (outcome.state === 'refused') return giveUp(stored, { reason: 'refused', status });
    options.count({ channel, outcome: 'failed' });
    await store.noteAttempt(db, id, status);
    throw new TryAgain(Math.min(LONGEST_PAUSE_SECONDS, 2 ** (attempts + 1)));
  }

  async function giveUp(
    { id, realmId, template, channel }: store.StoredMessage,
    { reason, status }: { reason: 'expired' | 'refused' | 'gave-up'; status: number | null },
  ): Promise<void> {
    options.count({ channel, outcome: reason });
    await db.transaction(async (q) => {
      await store.deleteMessage(q, id);
      await audit.record(q, {
        type: 'message.undelivered',
        realmId,
        detail: { template, channel, reason, status: status ?? 0 },
      });
    });
    log.warn({ message: id, template, channel, reason, status }, 'message given up');
  }

  /**
   * Whether one more message may go to a recipient because somebody at that address asks for it; counts it if so. Ask before
   * `send` wherever a stranger can cause a message. The answer to that stranger should be the same either way.
   */
  const mayContact = (realm: Limited, recipient: string, address: string | null): Promise<Taken> =>
    options.rateLimits.take([
      // The address first: one sender cannot use up what a recipient may get beyond the sender's own limit.
      take('message-address', realm.id, address ?? 'unknown', realm.settings.messages_per_address),
      take('message-recipient', realm.id, recipient.toLowerCase(), realm.settings.messages_per_recipient),
    ]);

  const tasks: readonly OutboxTask[] = [{ ...TASK, run: deliver }];
  const jobs: readonly Job[] = [
    {
      name: 'messages.requeue',
      everySeconds: 60,
      run: async (q) => {
        const orphans = await store.listOrphans(q, `${OUTBOX_SCHEMA}.jobs`, KEY_PREFIX);
        await addJobs(
          q,
          TASK,
          orphans.map(({ id, channel }) => jobOf(id, channel)),
        );
        return false;
      },
    },
  ];

  return { send, canReach, mayContact, renderer, tasks, jobs, close: () => smtp?.close() };
}

function take(policy: Take['policy'], realmId: RealmId, subject: string, limit: string): Take {
  const parsed = parseLimit(limit);
  if (!parsed) throw new Error(`not a limit: ${limit}`);
  // Hashed: the table of counters holds no addresses of persons.
  const key = `${realmId}:${hashToken(subject).toString('base64url')}`;
  return { policy, key, ...parsed };
}
