// What is sent to prove an address or a phone. Requests only queue a job, the same whether an account exists or not; who is
// meant, and whether anything is sent at all, is found out after the answer (security 139). What is sent goes to the stored
// address, with links on the host that is configured (security 32, 147).

import { z } from 'zod';
import { type Challenges, PURPOSES, type Purpose } from '../challenges/challenges.ts';
import type { Database, Queryable } from '../db/database.ts';
import { addJobs, type OutboxTask } from '../db/outbox.ts';
import { parseLimit } from '../lib/duration.ts';
import { type AccountId, asAccountId, type ClientRowId, type RealmId, type TokenHash } from '../lib/ids.ts';
import { hashToken } from '../lib/token.ts';
import type { Messages } from '../messages/messages.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import type { Account } from './accounts.ts';
import type { Contact } from './contact.ts';
import * as store from './contact_store.ts';
import { linkTo, resetPageOf } from './links.ts';

const TASK = { name: 'accounts.send_letter', mostTries: 8 } as const;

/** What somebody asked to be sent. */
export type Wish =
  /** alwaysSend: also to somebody without an account, for signing up. */
  | { purpose: 'one-time-code'; alwaysSend: boolean }
  | { purpose: 'sign-in'; isLink: boolean; handle: string | null }
  /** handle: where the reader wanted to go, for the page behind the link. */
  | { purpose: 'verify-email'; redirectUrl: string | null; handle?: string | null }
  /** currentHost: host of the realm on which the publisher's own page is to be opened. */
  | { purpose: 'reset-password'; currentHost: string | null; handle?: string | null }
  | { purpose: 'change-email'; accountId: AccountId }
  | { purpose: 'add-contact'; accountId: AccountId }
  | { purpose: 'account-exists' };

export type Requested =
  | { ok: true }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number }
  /** The operator has no way to send there. */
  | { ok: false; reason: 'unreachable' };

/** Who asks, from where. @param browserHash of the cookie of the browser that asks */
export type Asker = {
  address: string | null;
  locale: string;
  /** For which client the reader is here: letters take its brand. */
  client?: ClientRowId | null;
  browserHash: TokenHash | null;
};

const jobSchema = z.object({
  realmId: z.string().transform((id) => id as RealmId),
  contact: z.union([
    z.object({ kind: z.literal('email'), address: z.string(), canonical: z.string() }),
    z.object({ kind: z.literal('phone'), number: z.string(), canonical: z.string() }),
  ]),
  wish: z.custom<Wish>((value) => typeof value === 'object' && value !== null),
  locale: z.string(),
  // Absent in jobs of an older version.
  client: z
    .custom<ClientRowId>((value) => typeof value === 'string')
    .nullable()
    .default(null),
  browserHash: z.string().nullable(),
});
type Letter = Pick<z.infer<typeof jobSchema>, 'wish' | 'locale' | 'client'> & {
  realm: Realm;
  contact: Contact;
  browserHash: TokenHash | null;
};

export type Letters = ReturnType<typeof createLetters>;

/** Requests for codes and links, and the task that sends them. */
export function createLetters(options: {
  db: Database;
  realms: Realms;
  rateLimits: RateLimits;
  challenges: Challenges;
  messages: Messages;
}) {
  const { db, realms, rateLimits, challenges, messages } = options;

  /** Queues what was asked for. The same work for everybody; refused alike when too much was asked for. */
  async function request(realm: Realm, contact: Contact, wish: Wish, asker: Asker): Promise<Requested> {
    if (!messages.canReach(contact.kind)) return { ok: false, reason: 'unreachable' };
    const { points, seconds } = parseLimit(realm.settings.codes_per_recipient) ?? { points: 10, seconds: 3600 };
    const key = `${realm.id}:${hashToken(contact.canonical).toString('base64url')}:${asker.address ?? 'unknown'}`;
    const taken = await rateLimits.take([{ policy: 'code-recipient', key, points, seconds }]);
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const allowed = await messages.mayContact(realm, contact.canonical, asker.address);
    if (!allowed.isAllowed) {
      // What others have had sent to somebody is nobody's business; what the own address has had sent may be told.
      if (allowed.policy === 'message-recipient') return { ok: true };
      return { ok: false, reason: 'throttled', retryAfterSeconds: allowed.retryAfterSeconds };
    }
    await enqueue(db, realm.id, contact, wish, asker);
    return { ok: true };
  }

  /** Queues within the caller's transaction, without asking for limits: what the server has a reason of its own to send. */
  async function enqueue(q: Queryable, realmId: RealmId, contact: Contact, wish: Wish, asker: Asker): Promise<void> {
    const payload = {
      realmId,
      contact,
      wish,
      locale: asker.locale,
      client: asker.client ?? null,
      browserHash: asker.browserHash?.toString('base64url') ?? null,
    };
    // One key for each purpose and recipient: of several clicks in a row one letter is sent.
    const target = `${realmId}:${contact.canonical}`;
    await addJobs(q, TASK, [{ payload, key: `letter:${wish.purpose}:${target}`, target: `letter:${target}` }]);
  }

  const task: OutboxTask = {
    ...TASK,
    async run(payload) {
      const job = jobSchema.parse(payload);
      const realm = await realms.findById(job.realmId);
      if (!realm) return;
      const browserHash = job.browserHash === null ? null : (Buffer.from(job.browserHash, 'base64url') as TokenHash);
      const letter = {
        realm,
        contact: job.contact as Contact,
        wish: job.wish,
        locale: job.locale,
        client: job.client,
        browserHash,
      };
      await db.transaction((q) => deliver(q, letter));
    },
  };

  async function deliver(q: Queryable, letter: Letter): Promise<void> {
    const { realm, contact, wish } = letter;
    const owner = await store.findByContact(q, realm.id, contact);
    switch (wish.purpose) {
      case 'account-exists':
        return owner ? notice(q, letter, owner) : undefined;
      case 'one-time-code':
        if (
          !owner &&
          (!wish.alwaysSend || realm.settings.signup === 'closed' || (await store.isTaken(q, realm.id, contact)))
        )
          return;
        return sendCode(q, letter, { accountId: owner?.id ?? null, template: owner ? 'sign-in-code' : 'sign-up-code' });
      case 'sign-in':
        return owner ? sendSignIn(q, letter, owner) : undefined;
      case 'verify-email':
        // An address that is verified already needs no proof; the answer was the same.
        return owner && owner.verificationStatus !== 'email' ? sendLink(q, letter, owner.id, owner) : undefined;
      case 'reset-password':
        return owner ? sendLink(q, letter, owner.id, owner) : undefined;
      case 'change-email': {
        // Whose address it is learns of the try; who tried does not learn that it is somebody's.
        if (owner) return owner.id === wish.accountId ? undefined : notice(q, letter, owner);
        return sendLink(q, letter, asAccountId(wish.accountId), null);
      }
      case 'add-contact':
        // Somebody else's: for the session that asks it adds nothing; whoever reads it may sign in to their own account.
        if (owner && owner.id !== wish.accountId)
          return deliver(q, { ...letter, wish: { purpose: 'one-time-code', alwaysSend: false } });
        return sendCode(q, letter, { accountId: asAccountId(wish.accountId), template: 'verify-email' });
      default:
        return wish satisfies never;
    }
  }

  const draft = (
    letter: Letter,
    accountId: AccountId | null,
    purpose: Purpose,
    payload: Record<string, string> = {},
  ) => ({
    realmId: letter.realm.id,
    accountId,
    purpose,
    recipient: letter.contact.canonical,
    browserHash: letter.browserHash,
    payload,
  });

  async function sendCode(
    q: Queryable,
    letter: Letter,
    of: { accountId: AccountId | null; template: 'sign-in-code' | 'sign-up-code' | 'verify-email' },
  ): Promise<void> {
    const { realm, contact, wish } = letter;
    const purpose = wish.purpose === 'account-exists' ? 'one-time-code' : wish.purpose;
    const payload: Record<string, string> = contact.kind === 'email' ? { email: contact.address } : {};
    const { code } = await challenges.create(q, draft(letter, of.accountId, purpose, payload));
    const expiresInSeconds = PURPOSES[purpose].codeSeconds ?? 0;
    const values = { code, minutes: expiresInSeconds / 60 };
    const common = { realmId: realm.id, locale: letter.locale, client: letter.client, expiresInSeconds };
    if (contact.kind === 'phone') {
      const to = { kind: 'phone', number: contact.number } as const;
      return messages.send(q, { ...common, to, template: 'phone-code', values });
    }
    const owner = await store.findByContact(q, realm.id, contact);
    const to = { kind: 'email', address: owner?.email ?? contact.address } as const;
    return messages.send(q, { ...common, to, template: of.template, values });
  }

  async function sendSignIn(q: Queryable, letter: Letter, owner: Account): Promise<void> {
    const { wish, realm } = letter;
    if (wish.purpose !== 'sign-in') return;
    const isLink = wish.isLink && owner.email !== null && letter.contact.kind === 'email';
    if (!isLink) return sendCode(q, letter, { accountId: owner.id, template: 'sign-in-code' });
    const payload: Record<string, string> = wish.handle === null ? {} : { handle: wish.handle };
    const { token } = await challenges.create(q, draft(letter, owner.id, 'sign-in', payload));
    const expiresInSeconds = PURPOSES['sign-in'].codeSeconds;
    await messages.send(q, {
      realmId: realm.id,
      locale: letter.locale,
      client: letter.client,
      expiresInSeconds,
      to: { kind: 'email', address: owner.email ?? '' },
      template: 'sign-in-link',
      values: { link: linkTo(realm, 'sign-in', token), minutes: PURPOSES['sign-in'].linkSeconds / 60 },
    });
  }

  /** @param owner whose stored address it goes to; null for the address that was typed, which is to become one */
  async function sendLink(q: Queryable, letter: Letter, accountId: AccountId, owner: Account | null): Promise<void> {
    const { realm, contact, wish } = letter;
    if (contact.kind !== 'email') return;
    if (wish.purpose !== 'verify-email' && wish.purpose !== 'reset-password' && wish.purpose !== 'change-email') return;
    const payload: Record<string, string> = { email: contact.address };
    if (wish.purpose === 'verify-email' && wish.redirectUrl !== null) payload['redirect_url'] = wish.redirectUrl;
    if (wish.purpose !== 'change-email' && wish.handle) payload['handle'] = wish.handle;
    const { code, token } = await challenges.create(q, draft(letter, accountId, wish.purpose, payload));
    const link =
      wish.purpose === 'reset-password'
        ? resetPageOf(realm, await realms.listDomains(realm.id, q), token, wish.currentHost)
        : linkTo(realm, wish.purpose, token);
    const { linkSeconds } = PURPOSES[wish.purpose];
    await messages.send(q, {
      realmId: realm.id,
      locale: letter.locale,
      client: letter.client,
      expiresInSeconds: linkSeconds,
      to: { kind: 'email', address: owner?.email ?? contact.address },
      template: wish.purpose,
      values: { link, code, minutes: linkSeconds / 60 },
    });
  }

  async function notice(q: Queryable, letter: Letter, owner: Account): Promise<void> {
    if (owner.email === null) return;
    const { realm } = letter;
    await messages.send(q, {
      realmId: realm.id,
      locale: letter.locale,
      client: letter.client,
      expiresInSeconds: 86_400,
      to: { kind: 'email', address: owner.email },
      template: 'account-exists',
      values: { link: `${realm.authOrigin}/login` },
    });
  }

  return { request, enqueue, tasks: [task] };
}
