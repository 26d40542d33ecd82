// Which account a person of a provider is here, and what is written so that it is so: decided by linking.ts, done in one
// transaction, decided anew when somebody else was quicker.

import type { Accounts, Ownership } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import { parseLimit } from '../lib/duration.ts';
import type { AccountId } from '../lib/ids.ts';
import type { RateLimits, Take } from '../ratelimit/ratelimit.ts';
import type { Realm, StoredUpstream } from '../realms/realms.ts';
import type { Teller, TellOwner } from './connection_notice.ts';
import { decideLinking, type LinkingFacts } from './linking.ts';
import type { UpstreamPerson } from './person.ts';
import * as store from './store.ts';

type Settling = {
  realm: Realm;
  upstream: StoredUpstream;
  person: UpstreamPerson;
  /** Who is signed in and asked for the connection; null for a sign-in. */
  linkTo: AccountId | null;
  from: Teller;
};
export type SettleRefusal = 'sign-in-first' | 'sign-up-closed' | 'taken' | 'refused';
export type Settled =
  | { ok: true; accountId: AccountId }
  | { ok: false; reason: SettleRefusal }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };

export function createSettlement(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  accounts: Accounts;
  ownership: Ownership;
  tellOwner: TellOwner;
}) {
  const { db, audit, rateLimits, accounts, ownership, tellOwner } = options;

  async function settle(of: Settling): Promise<Settled> {
    if (decideLinking(await readFacts(db, of)).kind === 'create') {
      const taken = await rateLimits.take([signUpTake(of.realm, of.from.address)]);
      if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    }
    for (;;) {
      try {
        return await db.transaction((q) => settleIn(q, of));
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
      }
    }
  }

  async function settleIn(q: Queryable, of: Settling): Promise<Settled> {
    const { realm, upstream, person, from } = of;
    const { address } = from;
    const decision = decideLinking(await readFacts(q, of));
    const vouched = {
      email: person.email,
      isEmailVerified: person.isEmailProven,
      name: person.name,
      firstName: person.firstName,
      lastName: person.lastName,
      avatarUrl: person.pictureUrl,
    };
    const voucher = { by: upstream.id, address };
    if (decision.kind === 'refuse') return { ok: false, reason: decision.reason };
    if (decision.kind === 'create') {
      const account = await accounts.createVouchedFor(q, realm.id, vouched, voucher);
      if (!account) throw new Overtaken();
      await connect(q, of, account.id);
      return { ok: true, accountId: account.id };
    }
    const { accountId } = decision;
    if (!(await accounts.findById(q, accountId))) return { ok: false, reason: 'refused' };
    if (decision.kind === 'sign-in') {
      await store.touchIdentity(q, { realmId: realm.id, upstreamId: upstream.id, person });
      return { ok: true, accountId };
    }
    if (decision.kind === 'reclaim') {
      await accounts.reclaim(q, { realmId: realm.id, accountId }, vouched, voucher);
      await ownership.takeOver(q, { id: accountId, realmId: realm.id }, address);
    }
    await connect(q, of, accountId);
    // Whoever has just made an account knows what it is connected with.
    await tellOwner(q, { realm, accountId, change: 'added', provider: upstream.id, from });
    return { ok: true, accountId };
  }

  async function connect(q: Queryable, of: Settling, accountId: AccountId): Promise<void> {
    const { realm, upstream, person, from } = of;
    const { address } = from;
    const isNew = await store.insertIdentity(q, { realmId: realm.id, accountId, upstreamId: upstream.id, person });
    if (!isNew) throw new Overtaken();
    const detail = { provider: upstream.id };
    await audit.record(q, { type: 'identity.connected', realmId: realm.id, accountId, address, detail });
  }

  async function readFacts(q: Queryable, { realm, person, linkTo }: Settling): Promise<LinkingFacts> {
    const linked = await store.findLinked(q, realm.id, person);
    const local = person.email ? await accounts.findByEmail(q, realm.id, person.email.address) : null;
    return {
      linked,
      isEmailProven: person.email ? person.isEmailProven : null,
      local: local && { id: local.id, isEmailVerified: local.verificationStatus === 'email' },
      linkTo,
      signUp: realm.settings.signup,
    };
  }

  return settle;
}

/** Somebody else did the same a moment before; what is to be done is decided anew. */
class Overtaken extends Error {}

/** The counter of sign-ins that were begun from an address. */
export const addressTake = (realm: Realm, address: string | null): Take =>
  takeOf('upstream-address', realm, { address, limit: realm.settings.sign_in_per_address });

const signUpTake = (realm: Realm, address: string | null): Take =>
  takeOf('sign-up-address', realm, { address, limit: realm.settings.sign_up_per_address });

function takeOf(policy: Take['policy'], realm: Realm, of: { address: string | null; limit: string }): Take {
  const limit = parseLimit(of.limit);
  if (!limit) throw new Error(`not a limit: ${of.limit}`);
  return { policy, key: `${realm.id}:${of.address ?? 'unknown'}`, ...limit };
}
