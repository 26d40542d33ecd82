// What products around the site need beyond the standard provider: verifying a credential that a product was handed
// (QuickBlox's custom identity provider), and taking back what a product learned of a profile (Qualifio's webhook).

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Client, Verification } from '../clients/clients.ts';
import type { Database } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import { applyMapping, presentObject } from '../lib/mapping.ts';
import { hashToken, isSameHash } from '../lib/token.ts';
import type { Attempt, Login } from '../login/login.ts';
import type { Provider } from '../oauth/oauth.ts';
import { mappingInput } from '../oidc/oidc.ts';
import type { Realm } from '../realms/realms.ts';
import type { PushedProfile } from './pushback.ts';
import * as store from './store.ts';
import { isSameUser } from './verification.ts';

export type Verified =
  | { ok: true; answer: Record<string, unknown> }
  | { ok: false; reason: 'wrong' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number }
  /** The operator's response mapping fails on this account. */
  | { ok: false; reason: 'mapping'; detail: string };
export type Pushed = { ok: true; isRepeated: boolean } | { ok: false; reason: 'unknown-account' };

export type Products = ReturnType<typeof createProducts>;

/** @param options provider: knows access tokens; login: knows passwords and their limits */
export function createProducts(options: {
  db: Database;
  audit: Audit;
  accounts: Accounts;
  provider: Provider;
  login: Login;
}) {
  const { db, audit, accounts, provider, login } = options;

  /** Who a credential belongs to, as the client's response mapping tells it. @param sent user: null when none was sent */
  async function verify(
    attempt: Attempt,
    client: Client,
    verification: Verification,
    sent: { user: string | null; credential: string },
  ): Promise<Verified> {
    const { realm } = attempt;
    const found =
      (await byToken(realm, client, verification, sent)) ?? (await byPassword(attempt, client, verification, sent));
    if (!('account' in found)) return found;
    await audit.record(db, {
      type: 'credential.verified',
      realmId: realm.id,
      accountId: found.account.id,
      clientId: client.clientId,
      address: attempt.address,
    });
    const mapped = applyMapping(verification.response, mappingInput({ realm, client, ...found }));
    const answer = mapped.ok ? presentObject(mapped.value) : null;
    return answer
      ? { ok: true, answer }
      : { ok: false, reason: 'mapping', detail: mapped.ok ? 'the mapping makes no object' : mapped.fault };
  }

  type Found = { account: Account; scopes: readonly string[] };

  /** By an access token of the client, or of the realm where the operator allows that. A bound token is no bearer's. */
  async function byToken(
    realm: Realm,
    client: Client,
    verification: Verification,
    sent: { user: string | null; credential: string },
  ): Promise<Found | null> {
    if (!verification.accept.includes('access_token')) return null;
    const active = await provider.findActive(realm, sent.credential);
    if (!active?.account || active.dpopJkt !== null) return null;
    if (verification.tokens_of === 'client' && active.family.clientRowId !== client.id) return null;
    // A product that names the user must be told when the token is somebody else's.
    return sent.user === null || isSameUser(active.account, sent.user)
      ? { account: active.account, scopes: active.scopes }
      : null;
  }

  async function byPassword(
    attempt: Attempt,
    client: Client,
    verification: Verification,
    sent: { user: string | null; credential: string },
  ): Promise<Found | Exclude<Verified, { ok: true }>> {
    // A token that is no longer valid must not be counted as a guess at the reader's password.
    if (!verification.accept.includes('password') || sent.user === null || isTokenForm(sent.credential))
      return { ok: false, reason: 'wrong' };
    const proven = await login.verifyPassword(attempt, { identifier: sent.user, password: sent.credential });
    if (!proven.ok) return proven;
    const account = await accounts.findById(db, proven.accountId);
    return account ? { account, scopes: client.protocol.scopes } : { ok: false, reason: 'wrong' };
  }

  /** Whether a secret is that of the client's hook. */
  function isHookSecret(client: Client, secret: string): boolean {
    const stored = client.protocol.pushback?.secret_sha256;
    return stored !== undefined && isSameHash(Buffer.from(stored, 'hex'), hashToken(secret));
  }

  /** Writes a pushed profile, once for each event of a client. An event whose account is unknown is not used up. */
  function takeProfile(client: Client, pushed: PushedProfile, from: { address: string | null }): Promise<Pushed> {
    return db.transaction(async (q) => {
      const account = await accounts.findByReference(q, client.realmId, pushed.account);
      if (!account) return { ok: false, reason: 'unknown-account' };
      if (!(await store.takeEvent(q, client.id, hashToken(pushed.eventId)))) return { ok: true, isRepeated: true };
      if (pushed.names.length > 0)
        await accounts.pushProfile(q, account, pushed, { clientId: client.clientId, address: from.address });
      return { ok: true, isRepeated: false };
    });
  }

  const jobs: readonly Job[] = [{ name: 'products.sweep', everySeconds: 3600, run: store.deleteExpiredEvents }];

  return { verify, isHookSecret, takeProfile, jobs };
}

function isTokenForm(credential: string): boolean {
  return (
    /^cw[ar]_[A-Za-z0-9_-]{43}$/.test(credential) ||
    /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(credential)
  );
}
