// The most sessions that an account may have at once (ASVS 7.1.2), and what a sign-in beyond them leads to: the oldest end, or
// the sign-in waits until its reader has said what shall happen.

import type { Database, Queryable } from '../db/database.ts';
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
import { hashToken } from '../lib/token.ts';
import type { Realm } from '../realms/realms.ts';
import * as store from './limit_store.ts';
import { hashed, lifetimes, newCredential } from './new_session.ts';
import type { Credential, EndSession, SignInFacts } from './sessions.ts';
import { insertSession } from './store.ts';

/** A sign-in that waits. */
export type HeldSession = { id: SessionId; realmId: RealmId; accountId: AccountId; domainSessionId: DomainSessionId };

/** How long a reader may think about it. */
export const HELD_SECONDS = 600;

/** @param options revoke: ends one session, as sessions.ts does */
export function createSessionLimit(options: { db: Database; revoke: EndSession }) {
  const { db, revoke } = options;

  /** Ends the oldest sessions of an account until one more fits, before that one begins; concurrent sign-ins take turns. */
  async function makeRoom(q: Queryable, realm: Realm, accountId: AccountId, address: string | null): Promise<void> {
    const { sessions_max: most, sessions_over: over } = realm.settings;
    if (most === 0 || over !== 'oldest-out') return;
    await store.lockLimit(q, accountId);
    const live = await store.listLive(q, accountId);
    const surplus = live.slice(0, Math.max(0, live.length - most + 1));
    // By id, as whatever else ends several of them: nobody waits for each other.
    for (const id of surplus.sort())
      await revoke(q, { id, realmId: realm.id, accountId }, { reason: 'limit', address });
  }

  /** Whether a reader has to be asked before one more session begins. Holds off other sign-ins until the transaction ends. */
  async function mustAsk(q: Queryable, realm: Realm, accountId: AccountId): Promise<boolean> {
    const { sessions_max: most, sessions_over: over } = realm.settings;
    if (most === 0 || over !== 'ask') return false;
    await store.lockLimit(q, accountId);
    return (await store.listLive(q, accountId)).length >= most;
  }

  /** Keeps a sign-in until its reader has answered. @returns the token by which its browser finds it again */
  async function hold(q: Queryable, realm: Realm, accountId: AccountId, facts: SignInFacts): Promise<PlainToken> {
    const credential = newCredential();
    await insertSession(q, {
      sessionId: asSessionId(createUuid()),
      domainSessionId: asDomainSessionId(createUuid()),
      realmId: realm.id,
      accountId,
      facts,
      idleSeconds: HELD_SECONDS,
      absoluteSeconds: HELD_SECONDS,
      ...hashed(credential),
      isHeld: true,
    });
    return credential.token;
  }

  /** The sign-in that waits for an answer from the browser with this token; null when it was answered, or took too long. */
  const findHeld = (token: PlainToken, host: Host): Promise<HeldSession | null> =>
    store.findHeld(db, hashToken(token), host);

  /** Lets a sign-in that waited go on as a session; its credential is a new one. Null when it has ended or went on before. */
  async function release(q: Queryable, realm: Realm, held: HeldSession): Promise<Credential | null> {
    const credential = newCredential();
    const isReleased = await store.releaseHeld(q, { held, ...lifetimes(realm), ...hashed(credential) });
    return isReleased ? credential : null;
  }

  return { makeRoom, mustAsk, hold, findHeld, release };
}
