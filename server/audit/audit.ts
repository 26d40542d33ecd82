// What happened: a typed vocabulary of events and an append-only log, written in the transaction of what it records.
// docs/audit-events.md is generated from the vocabulary.

import type { Queryable } from '../db/database.ts';
import type { AccountId, RealmId, SessionId } from '../lib/ids.ts';
import { hasEvent, insertEvent, listEventsOf } from './store.ts';

/** Every kind of event, and what its detail holds. */
export const EVENTS = {
  'account.created':
    'An account was made by sign-up, by an operator, or at the first sign-in with another provider (detail: by).',
  'account.updated':
    'An account changed its own profile, or a product did whose pushback is allowed to; detail: the names of the fields.',
  'account.adopted':
    'Somebody whom the credential check of the realm vouched for became an account; detail: the identifier there.',
  'account.reclaimed':
    'The proven owner of an e-mail address took over an account on which it was never verified; its password, sessions and connections are gone; detail: by, a provider or `challenge`.',
  'accounts.imported': 'An operator’s import of accounts ended; detail: format and how many of what.',
  'account.deleted': 'A person erased the own account.',
  'account.verified': 'Somebody proved to read the address of an account; detail: what.',
  'password.reset': 'A new password was set by a link or code sent to the address; every session ended.',
  'password.changed': 'A reader chose a new password on the account page; every other session ended.',
  'email.changed': 'An account got another e-mail address, which was verified first.',
  'email.change-undone': 'The old address took a change of address back; every session ended.',
  'sign-up.refused':
    'Somebody signed up with an address that has an account, in a realm that does not tell; its owner was written to.',
  'sign-in.succeeded': 'A password, code or link was right and a session began or was renewed.',
  'sign-in.failed': 'A password or code was wrong or nobody has that identifier; detail: reason, never the identifier.',
  'sign-in.new-device':
    'The account was signed in to in a browser that it had not been used in before; its owner was told.',
  'credential-check.failed': 'The credential check of the realm gave no usable answer; detail: reason.',
  'old-session.adopted': 'A session of the former system became one here; detail: the identifier there.',
  'old-session.refused': 'A session of the former system was not adopted; detail: reason.',
  'credential.verified': 'A product had a credential verified and was told who it is.',
  'sign-in.throttled': 'A sign-in was refused because of too many tries; detail: which limit.',
  'factor.added': 'A second factor was set up; detail: kind.',
  'factor.removed': 'A second factor was removed, by its owner or by an operator; detail: kind.',
  'factor.used': 'A second factor was proven; detail: kind.',
  'factor.failed': 'A code of a second factor was wrong; detail: during what (sign-in, set-up, step-up).',
  'factor.throttled': 'A code was refused because of too many tries; detail: which limit.',
  'passkey.suspected':
    'A passkey was refused because its counter did not grow: a copy of it may be in other hands; detail: passkey, its id.',
  'recovery-code.used': 'A recovery code took the place of the second factor, and is used up.',
  'recovery-codes.renewed': 'New recovery codes were made; the old ones are void.',
  'session.revoked':
    'A session ended before its time; detail: reason (`limit`: a newer one took its place; `cancelled`: a sign-in beyond the limit was given up).',
  'domain-session.created': 'A code became the session of a domain; detail: host.',
  'code.replayed': 'A used authorization code came back from elsewhere; what it had made was revoked.',
  'code.restarted': 'A code arrived in a browser that had not started the flow and was burnt; detail: host.',
  'refresh.reused': 'A refresh token came back after its successor was used; its whole family ended.',
  'grants.ended': 'An operator ended every token that had been granted before a moment; detail: before, count.',
  'consent.given': 'An account allowed a client scopes; detail: scopes.',
  'consent.withdrawn': 'An account withdrew what it had allowed a client; its tokens ended.',
  'logout.undelivered':
    'A client could not be told that a session ended; detail: state (refused or gave-up) and the last HTTP status, 0 for none.',
  'message.undelivered':
    'An e-mail or text message was given up; detail: template, channel, reason (expired, refused, gave-up or unreadable) and the last status of the other side, 0 for none. Never the recipient.',
  'keys.rotated': 'New signing keys were published.',
  'keys.revoked': 'A signing key was withdrawn at once; detail: kid.',
  'client.secret-rotated': 'An operator gave a client a new secret, or ended the old one; detail: what.',
  'client.api-key-changed': 'An operator gave the backend of a site an API key, or took it away; detail: what.',
  'admin-token.issued': 'A client got an admin token for its secret.',
  'client.registered': 'A client registered itself with an initial access token; detail: its redirect URIs.',
  'registration-token.made': 'An operator made an initial access token; detail: uses, ttl in seconds.',
  'client.switched': 'An operator switched a client off or on; detail: to what.',
  'identity.connected': 'An account was connected with a person at another provider; detail: provider.',
  'identity.disconnected': 'An account was disconnected from another provider; detail: provider.',
  'upstream.failed': 'A sign-in with another provider failed; detail: provider, reason and what was wrong.',
  'configuration.applied': 'An operator applied a configuration file; detail: what changed.',
} as const;

export type EventType = keyof typeof EVENTS;

export type Event = {
  type: EventType;
  realmId: RealmId | null;
  accountId?: AccountId | null;
  sessionId?: SessionId | null;
  clientId?: string | null;
  /** Where it came from; null for work without a request. */
  address?: string | null;
  detail?: Record<string, string | number | boolean | readonly string[]>;
};

export type Audit = ReturnType<typeof createAudit>;

/** The audit log. */
export function createAudit() {
  /** Appends an event in the caller's transaction: it is there exactly when what it records is. */
  const record = (q: Queryable, event: Event): Promise<void> => insertEvent(q, event);

  /** The latest events of an account, newest first. */
  const listOf = (q: Queryable, accountId: AccountId, which = { limit: 200 }) => listEventsOf(q, accountId, which);

  /** Whether something has ever happened to an account. */
  const has = (q: Queryable, accountId: AccountId, type: EventType): Promise<boolean> => hasEvent(q, accountId, type);

  return { record, listOf, has };
}
