// The SSO session (one sign-in of one browser in a realm) and its children, the domain sessions (one per host, carried by
// that host's `qt-auth` cookie). A row in PostgreSQL is the single source of truth; ending a session is deleting it, and
// every child with it, so the next request on any host of any node finds nothing.

import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import {
  type AccountId,
  asDomainSessionId,
  asSessionId,
  type DomainSessionId,
  type Host,
  type PlainToken,
  type RealmId,
  type SessionId,
} from '../lib/ids.ts';
import { createUuid } from '../lib/random.ts';
import type { Realm } from '../realms/realms.ts';
import { createSessionLimit } from './limit.ts';
import { hashed, lifetimes, newCredential } from './new_session.ts';
import * as store from './store.ts';
import { createTouch } from './touch.ts';

export { COMPANION, COOKIE, credentialCookies } from './credential.ts';
export { HELD_SECONDS, type HeldSession } from './limit.ts';
export { LIVE_SESSION_SQL, SESSION_IS_LIVE_SQL, type SessionOfRealm, toLiveSession } from './store.ts';
export { createStreams, type Streams } from './streams.ts';

/** What a browser keeps for one host: the token and the companion that binds it (security: cookie tossing). */
export type Credential = { token: PlainToken; companion: PlainToken };

/** What a request carries by way of credential. */
export type Presented =
  /** Nothing was sent. */
  | { kind: 'none' }
  /** Something was sent that cannot be a credential of ours, or several that contradict each other by count. */
  | { kind: 'broken' }
  | { kind: 'cookie'; token: PlainToken; companion: PlainToken }
  | { kind: 'header'; token: PlainToken }
  /** Cookie and header of two different tokens: both must turn out to be the same account (security 202). */
  | { kind: 'both'; cookie: { token: PlainToken; companion: PlainToken }; header: PlainToken };

/** A session as a request on one host sees it. */
export type LiveSession = {
  id: SessionId;
  realmId: RealmId;
  accountId: AccountId;
  domainSessionId: DomainSessionId;
  authenticatedAt: Date;
  /** How the reader proved who they are, the last time (RFC 8176). */
  amr: readonly string[];
  /** Seconds since the last sign-in with a credential, by the database's clock. */
  ageSeconds: number;
  /** Whether last_seen_at is more than a minute old. */
  isSeenStale: boolean;
  /** Seconds in which it neither expires nor is to be noted as seen again; not positive when that is so already. */
  trueForSeconds: number;
  /** Live SSO sessions of the account, this one included. */
  activeCount: number;
};

export type SessionSummary = {
  id: SessionId;
  lastSeenHost: string;
  hosts: string[];
  createdAt: Date;
  lastSeenAt: Date;
  userAgent: string | null;
  address: string | null;
};

export type SignInFacts = { host: Host; amr: readonly string[]; userAgent: string | null; address: string | null };
/** A session that is over before its time, and the hosts that it was signed in on. */
export type RevokedSession = { sessionId: SessionId; realmId: RealmId; accountId: AccountId; hosts: readonly Host[] };
export type RevokeReason =
  | 'signed-out'
  | 'ended-by-owner'
  | 'replaced'
  | 'account-deleted'
  | 'code-replayed'
  | 'operator'
  /** A newer session took its place. */
  | 'limit'
  /** A sign-in beyond the limit that its reader gave up. */
  | 'cancelled'
  | 'password-changed'
  | 'reclaimed'
  | 'email-change-undone';

export type Sessions = ReturnType<typeof createSessions>;

/** A session to be ended. */
export type EndingSession = { id: SessionId; realmId: RealmId; accountId: AccountId };
export type RevokedWhy = { reason: RevokeReason; address: string | null };
/** Ends one session, tells every node at commit, and records it for all who have to know. False when it had ended already. */
export type EndSession = (q: Queryable, session: EndingSession, why: RevokedWhy) => Promise<boolean>;

/**
 * The sessions of this server.
 * @param options endSession: ends one; onRevoked: is told of every session of an account that is ended with others, in the
 *   transaction that ends it; onTouchFail: why sessions could not be noted as seen
 */
export function createSessions(options: {
  db: Database;
  audit: Audit;
  endSession: EndSession;
  onRevoked(q: Queryable, revoked: RevokedSession): Promise<void>;
  onTouchFail?(error: unknown): void;
}) {
  const { db, audit } = options;
  const limit = createSessionLimit({ db, revoke: options.endSession });

  /**
   * Begins an SSO session and its domain session on the host of the sign-in, inside the caller's transaction. Where the realm
   * limits them so, the oldest ones of the account end first (security 51).
   */
  async function create(
    q: Queryable,
    realm: Realm,
    accountId: AccountId,
    facts: SignInFacts,
  ): Promise<{ sessionId: SessionId; credential: Credential }> {
    await limit.makeRoom(q, realm, accountId, facts.address);
    const { draft, credential } = draftSession(realm);
    await store.insertSession(q, { ...draft, accountId, facts, isHeld: false });
    return { sessionId: draft.sessionId, credential };
  }

  /** A session to be on one host: what is stored of it, and what the browser gets once it is. */
  function draftSession(realm: Realm) {
    const credential = newCredential();
    const ids = { sessionId: asSessionId(createUuid()), domainSessionId: asDomainSessionId(createUuid()) };
    return { draft: { ...ids, realmId: realm.id, ...lifetimes(realm), ...hashed(credential) }, credential };
  }

  /**
   * Signs the same account in again within its session: new token on this host, fresh authentication time, lifetimes from
   * now on, other hosts untouched. The old token of this host is dead from then on.
   */
  async function renew(q: Queryable, realm: Realm, session: LiveSession, facts: SignInFacts): Promise<Credential> {
    const credential = newCredential();
    await store.renewSession(q, {
      sessionId: session.id,
      domainSessionId: session.domainSessionId,
      facts,
      ...lifetimes(realm),
      ...hashed(credential),
    });
    return credential;
  }

  /** Gives a live session a new token on the host that it was used on; the old one is dead. Null when it has ended. */
  async function rotate(q: Queryable, session: LiveSession): Promise<Credential | null> {
    const credential = newCredential();
    return (await store.rotateDomainSession(q, session, hashed(credential))) ? credential : null;
  }

  /**
   * Adds a domain session to a live SSO session, inside the transaction that consumes the code.
   * @returns null when the session has ended in between
   */
  async function addDomain(
    q: Queryable,
    sessionId: SessionId,
    host: Host,
  ): Promise<{ id: DomainSessionId; credential: Credential; remainingSeconds: number } | null> {
    const id = asDomainSessionId(createUuid());
    const credential = newCredential();
    const remainingSeconds = await store.insertDomainSession(q, { id, sessionId, host, ...hashed(credential) });
    return remainingSeconds === null ? null : { id, credential, remainingSeconds };
  }

  /** A domain session to be: what is stored of it, and what the browser gets once it is. */
  function draftDomain() {
    const credential = newCredential();
    return { draft: { id: asDomainSessionId(createUuid()), ...hashed(credential) }, credential };
  }

  /** Drops the domain session that a browser held before a new one took its place. */
  const removeDomain = (q: Queryable, id: DomainSessionId): Promise<void> => store.deleteDomainSession(q, id);

  /** Ends a session everywhere, in the caller's transaction. False when it had ended already: then `db.settled` comes before an answer. */
  const revoke = options.endSession;

  /** The same on its own, in one round trip and the wait for every node, whoever ended it. */
  async function end(session: EndingSession, why: RevokedWhy): Promise<boolean> {
    const hasEnded = await store.runAlone(db, (q) => revoke(q, session, why));
    if (!hasEnded) await db.settled();
    return hasEnded;
  }

  /** Ends every session of an account, or all but one. @returns how many */
  async function revokeAllOf(
    q: Queryable,
    of: { realmId: RealmId; accountId: AccountId; except?: SessionId },
    why: RevokedWhy,
  ): Promise<number> {
    const ended = await store.deleteSessionsOf(q, of.accountId, of.except ?? null);
    for (const { id, hosts } of ended)
      await recordRevoked(q, { sessionId: id, realmId: of.realmId, accountId: of.accountId, hosts }, why);
    return ended.length;
  }

  /** The same in a transaction of its own, and the wait for every node, also for those that somebody else has just ended. */
  async function endAllOf(
    of: { realmId: RealmId; accountId: AccountId; except?: SessionId },
    why: RevokedWhy,
  ): Promise<number> {
    const count = await db.transaction((q) => revokeAllOf(q, of, why));
    await db.settled();
    return count;
  }

  async function recordRevoked(q: Queryable, revoked: RevokedSession, why: RevokedWhy) {
    const { sessionId, realmId, accountId } = revoked;
    await audit.record(q, {
      type: 'session.revoked',
      realmId,
      accountId,
      sessionId,
      address: why.address,
      detail: { reason: why.reason },
    });
    await options.onRevoked(q, revoked);
  }

  /** Ends every domain session on a host, as when its client is disabled. */
  const removeAllOnHost = (q: Queryable, host: Host): Promise<void> => store.deleteDomainSessionsOn(q, host);

  /** The live sessions of an account, latest first; nothing in it is usable as a credential. */
  const listOf = (accountId: AccountId): Promise<SessionSummary[]> => store.listSessionsOf(db, accountId);

  /** One live session of an account by its id; null when it is not theirs or not live. */
  const findOf = (accountId: AccountId, id: string): Promise<{ id: SessionId } | null> =>
    store.findSessionOf(db, accountId, id);

  /** Some sessions of a realm, the oldest ids first, live or not. @param which limit: most that are returned; before: only those that began earlier */
  const listIn = (
    q: Queryable,
    realmId: RealmId,
    which: { limit: number; before: Date | null },
  ): Promise<store.SessionOfRealm[]> => store.listSessionsIn(q, realmId, which);

  /** The session of a realm with that id, live or not; null when there is none. */
  const findIn = (q: Queryable, realmId: RealmId, id: string): Promise<store.SessionOfRealm | null> =>
    store.findSessionIn(q, realmId, id);

  /** Of these sessions, those that are not live any more. */
  const findEnded = (ids: readonly SessionId[]): Promise<SessionId[]> => store.findEnded(db, ids);

  const jobs: readonly Job[] = [{ name: 'sessions.sweep', everySeconds: 300, run: store.deleteExpired }];

  return {
    create,
    draftSession,
    renew,
    rotate,
    addDomain,
    draftDomain,
    removeDomain,
    revoke,
    end,
    revokeAllOf,
    endAllOf,
    removeAllOnHost,
    listOf,
    findOf,
    listIn,
    findIn,
    touch: createTouch({ db, onFail: (error) => options.onTouchFail?.(error) }),
    findEnded,
    mustAsk: limit.mustAsk,
    hold: limit.hold,
    findHeld: limit.findHeld,
    release: limit.release,
    jobs,
  };
}
