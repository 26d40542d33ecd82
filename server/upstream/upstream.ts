// Sign-in with another provider: an attempt goes out bound to one browser and one provider, comes back once, and what the
// provider proves becomes an account. Every sign-in ends in login.complete, so nothing that stands between a proof and a session
// is skipped. Tokens of the provider are used and forgotten.

import { type Accounts, hasOwnWayIn, type OwnerHook, type Ownership, type SignedIn } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { GuardedFetch } from '../http/outgoing.ts';
import type { OwnPath } from '../http/redirect.ts';
import type { AccountId, PlainToken, SessionId } from '../lib/ids.ts';
import { deriveKey } from '../lib/seal.ts';
import { createToken, hashToken, parseToken } from '../lib/token.ts';
import type { Attempt, Completed, Identified, Login, ReturnTo } from '../login/login.ts';
import type { Messages } from '../messages/messages.ts';
import type { Mfa } from '../mfa/mfa.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Realm, Realms, StoredUpstream } from '../realms/realms.ts';
import { authorizationUrl, type CallbackParameters, exchangeCode, type Proofs } from './code_exchange.ts';
import { type Connection, createConnections } from './connection.ts';
import { createConnectionNotice, type Teller } from './connection_notice.ts';
import { type Claims, toPerson } from './person.ts';
import { callbackPath } from './providers.ts';
import { addressTake, createSettlement, type Settled, type SettleRefusal } from './settlement.ts';
import * as store from './store.ts';
import { checkToken } from './token_check.ts';

export { callbackPath, GENERIC, PROVIDERS, type Provider } from './providers.ts';
export { createUpstreamSchemas, SECRET_KEYS, upstreamIdOf, upstreamNameOf } from './settings.ts';

/** A connection of an account with a person at a provider. */
export type Identity = { id: string; upstreamId: string; email: string | null; createdAt: Date; lastUsedAt: Date };

export type FailureReason =
  /** State, cookie, provider or time do not fit, or the answer came a second time. */
  | 'expired'
  | 'cancelled'
  | 'provider-error'
  | 'invalid'
  | 'unavailable'
  | 'throttled'
  /** Connecting was begun in another session. */
  | 'other-session'
  | SettleRefusal;
export type Failure = {
  ok: false;
  reason: FailureReason;
  /** Where the reader was going. */
  returnPath: OwnPath | null;
  /** The provider's own words, for the reader. */
  detail: string | null;
  retryAfterSeconds: number | null;
};
export type Started = { ok: true; url: URL } | Failure;
export type Finished = { ok: true; completed: Completed | null; returnPath: OwnPath; handle: string } | Failure;

/** What an app brings: the token, and the nonce that it had asked for. */
type TokenGiven = { token: string; nonce: string | null };

const ATTEMPT_SECONDS = 600;

/** An account that its proven owner takes over keeps no connection of before. */
export const forgetIdentities: OwnerHook = (q, { id }) => store.deleteIdentitiesOf(q, id);

/** Whether an account is connected with anybody elsewhere. */
export const hasIdentity = async (q: Queryable, id: AccountId): Promise<boolean> =>
  (await store.listIdentities(q, id)).length > 0;

export type Upstream = ReturnType<typeof createUpstream>;

/** @param options fetch: guarded against server-side request forgery */
export function createUpstream(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  realms: Realms;
  accounts: Accounts;
  ownership: Ownership;
  messages: Pick<Messages, 'send' | 'canReach'>;
  mfa: Mfa;
  login: Login;
  fetch: GuardedFetch;
}) {
  const { db, audit, rateLimits, accounts, login } = options;
  const connections = createConnections({ realms: options.realms, fetch: options.fetch });
  const tellOwner = createConnectionNotice(options);
  const settle = createSettlement({ db, audit, rateLimits, accounts, ownership: options.ownership, tellOwner });

  /** The provider of a realm with that id; null when the realm has none such (security 205: from a list, never from the address). */
  const find = (realm: Realm, id: string | undefined): StoredUpstream | null =>
    realm.upstreams.find((upstream) => upstream.id === id) ?? null;

  /**
   * Begins a sign-in, or with `link` the connection of the account that is signed in.
   * @param from browser: secret of the cookie that the answer must come back with
   */
  async function start(
    realm: Realm,
    upstream: StoredUpstream,
    from: { browser: PlainToken; to: ReturnTo; address: string | null; link: SessionId | null },
  ): Promise<Started> {
    const taken = await rateLimits.take([addressTake(realm, from.address)]);
    if (!taken.isAllowed) return failure('throttled', from.to.path, { retryAfterSeconds: taken.retryAfterSeconds });
    const proofs = proofsOf(from.browser, createToken());
    const challenge = hashToken(proofs.verifier).toString('base64url');
    const reached = await connections.attempt({ realm, upstream }, async (connection) =>
      authorizationUrl(connection, redirectUriOf(realm, upstream), proofs, challenge),
    );
    if (!reached.ok) return failure('unavailable', from.to.path, reached);
    await store.insertAttempt(db, {
      stateHash: hashToken(proofs.state),
      realmId: realm.id,
      upstreamId: upstream.id,
      browserHash: hashToken(from.browser),
      returnHandle: await login.makeReturn(realm.authHost, from.to),
      linkSessionId: from.link,
      ttlSeconds: ATTEMPT_SECONDS,
    });
    return { ok: true, url: reached.value };
  }

  /** Connects the account that is signed in; the caller has made sure that the sign-in is recent and the request its own. */
  const startLink = (
    signedIn: SignedIn,
    realm: Realm,
    upstream: StoredUpstream,
    from: { browser: PlainToken; to: ReturnTo; address: string | null },
  ): Promise<Started> => start(realm, upstream, { ...from, link: signedIn.session.id });

  /** Ends a sign-in with what the browser brought back from the provider. */
  async function finish(
    attempt: Attempt,
    upstream: StoredUpstream,
    answer: { parameters: CallbackParameters; browser: PlainToken | null },
  ): Promise<Finished> {
    const { realm, current } = attempt;
    const state = parseToken(answer.parameters.state);
    const { browser } = answer;
    const bound = state &&
      browser && {
        stateHash: hashToken(state),
        realmId: realm.id,
        upstreamId: upstream.id,
        browserHash: hashToken(browser),
      };
    const begun = bound && (await store.consumeAttempt(db, bound));
    if (!state || !browser || !begun) return failure('expired', null);
    const handle = begun.returnHandle;
    const returnPath = (await login.readReturn(realm.authHost, handle))?.path ?? '/';
    const link = begun.linkSessionId;
    if (link !== null && current?.session.id !== link) return failure('other-session', returnPath);
    const redirectUri = redirectUriOf(realm, upstream);
    const proofs = proofsOf(browser, state);
    const { parameters } = answer;
    const reached = await connections.attempt({ realm, upstream }, async (connection) => ({
      connection,
      exchanged: await exchangeCode(connection, redirectUri, { parameters, proofs }),
    }));
    if (!reached.ok) return failure('unavailable', returnPath, reached);
    const { exchanged, connection } = reached.value;
    if (!exchanged.ok) {
      const detail = 'detail' in exchanged ? exchanged.detail : null;
      await recordFailure(attempt, upstream, { reason: exchanged.reason, detail });
      // What is wrong with an answer that cannot be believed is for the operator alone.
      return failure(exchanged.reason, returnPath, { detail: exchanged.reason === 'provider-error' ? detail : null });
    }
    const linkTo = link === null ? null : (current?.account.id ?? null);
    const settled = await settlePerson(attempt, { upstream, connection, claims: exchanged.claims, linkTo });
    if (!settled.ok) return failure(settled.reason, returnPath, retryOf(settled));
    if (link !== null) return { ok: true, completed: null, returnPath, handle };
    return { ok: true, completed: await login.complete(attempt, toProof(settled.accountId)), returnPath, handle };
  }

  /** Signs in an app that brings a token of the provider (security 203). */
  async function signInWithToken(
    attempt: Attempt,
    upstream: StoredUpstream,
    given: TokenGiven,
  ): Promise<{ ok: true; completed: Completed } | Failure> {
    const settled = await settleToken(attempt, upstream, given);
    return settled.ok ? { ok: true, completed: await login.complete(attempt, toProof(settled.accountId)) } : settled;
  }

  /** The same for an app that wants to know who it is and no session. */
  async function identifyByToken(
    attempt: Attempt,
    upstream: StoredUpstream,
    given: TokenGiven,
  ): Promise<{ ok: true; identified: Identified } | Failure> {
    const settled = await settleToken(attempt, upstream, given);
    if (!settled.ok) return settled;
    return { ok: true, identified: await login.identify(attempt.realm, toProof(settled.accountId)) };
  }

  async function settleToken(
    attempt: Attempt,
    upstream: StoredUpstream,
    given: TokenGiven,
  ): Promise<{ ok: true; accountId: AccountId } | Failure> {
    const { realm, address } = attempt;
    const takes = [addressTake(realm, address)];
    const taken = await rateLimits.take(takes);
    if (!taken.isAllowed) return failure('throttled', null, { retryAfterSeconds: taken.retryAfterSeconds });
    const reached = await connections.attempt({ realm, upstream }, async (connection) => ({
      connection,
      checked: await checkToken(connection, given),
    }));
    if (!reached.ok) return failure('unavailable', null, reached);
    const { checked, connection } = reached.value;
    if (!checked.ok) {
      await recordFailure(attempt, upstream, { reason: 'invalid', detail: checked.detail });
      return failure('invalid', null);
    }
    const settled = await settlePerson(attempt, { upstream, connection, claims: checked.claims, linkTo: null });
    if (!settled.ok) return failure(settled.reason, null, retryOf(settled));
    await rateLimits.giveBack(takes);
    return settled;
  }

  async function settlePerson(
    attempt: Attempt,
    of: { upstream: StoredUpstream; connection: Connection; claims: Claims; linkTo: AccountId | null },
  ): Promise<Settled | { ok: false; reason: 'invalid' }> {
    const { upstream, connection, claims, linkTo } = of;
    const issuer = typeof claims['iss'] === 'string' ? claims['iss'] : connection.issuer;
    const trustedDomains = connection.settings.trusted_email_domains ?? [];
    const person = toPerson(claims, { issuer, provider: connection.provider, trustedDomains });
    const settled = person
      ? await settle({ realm: attempt.realm, upstream, person, linkTo, from: attempt })
      : ({ ok: false, reason: 'invalid' } as const);
    if (!settled.ok) await recordFailure(attempt, upstream, { reason: settled.reason, detail: null });
    return settled;
  }

  /** With whom an account is connected, oldest first. */
  const listIdentities = (accountId: AccountId): Promise<Identity[]> => store.listIdentities(db, accountId);

  /** Ends a connection, unless it is the only way in (security 165). */
  async function unlink(
    realm: Realm,
    accountId: AccountId,
    { id, from }: { id: string; from: Teller },
  ): Promise<{ ok: true } | { ok: false; reason: 'unknown' | 'last-credential' }> {
    return db.transaction(async (q) => {
      await store.lockAccount(q, accountId);
      const identities = await store.listIdentities(q, accountId);
      const identity = identities.find((one) => one.id === id);
      if (!identity) return { ok: false, reason: 'unknown' };
      const isOther =
        identities.some((one) => one.id !== id && find(realm, one.upstreamId) !== null) ||
        (await hasOwnWayIn(q, { realm, accountId }, options)) ||
        (await options.mfa.passkeys.list(q, accountId)).length > 0;
      if (!isOther) return { ok: false, reason: 'last-credential' };
      await store.deleteIdentity(q, accountId, id);
      const provider = identity.upstreamId;
      const { address } = from;
      const realmId = realm.id;
      await audit.record(q, { type: 'identity.disconnected', realmId, accountId, address, detail: { provider } });
      await tellOwner(q, { realm, accountId, change: 'removed', provider, from });
      return { ok: true };
    });
  }

  function recordFailure(
    { realm, address }: Attempt,
    upstream: StoredUpstream,
    what: { reason: string; detail: string | null },
  ): Promise<void> {
    const detail = { provider: upstream.id, reason: what.reason, ...(what.detail && { what: what.detail }) };
    return audit.record(db, { type: 'upstream.failed', realmId: realm.id, address, detail });
  }

  /** Where the pages of providers are, for a content security policy; those that cannot be reached now are left out. */
  async function listOrigins(realm: Realm): Promise<string[]> {
    const found = await Promise.all(
      realm.upstreams.map((upstream) =>
        connections.attempt({ realm, upstream }, async ({ endpoints }) => new URL(endpoints.authorization).origin),
      ),
    );
    return [...new Set(found.flatMap((one) => (one.ok ? [one.value] : [])))];
  }

  const jobs: readonly Job[] = [{ name: 'upstream.sweep', everySeconds: 300, run: store.deleteExpiredAttempts }];

  return {
    find,
    start,
    startLink,
    finish,
    signInWithToken,
    identifyByToken,
    listIdentities,
    unlink,
    listOrigins,
    jobs,
  };
}

/**
 * Nonce and PKCE verifier of an attempt follow from its state and the secret of the browser's cookie: the database holds only
 * hashes of both, and so nothing with which a code could be used (RFC 7636 §4.1: 43 characters).
 */
function proofsOf(browser: PlainToken, state: PlainToken): Proofs {
  const derive = (purpose: string) => Buffer.from(deriveKey(browser, `${purpose} ${state}`)).toString('base64url');
  return { state, nonce: derive('upstream nonce'), verifier: derive('upstream verifier') };
}

const redirectUriOf = (realm: Realm, upstream: StoredUpstream) => `${realm.authOrigin}${callbackPath(upstream)}`;

/** RFC 8176 has no word for it; `fed` says that another provider vouched, and nothing of how it knew. */
const toProof = (accountId: AccountId) => ({ accountId, amr: ['fed'] });

const retryOf = (refused: object) =>
  'retryAfterSeconds' in refused ? { retryAfterSeconds: Number(refused.retryAfterSeconds) } : {};

function failure(
  reason: FailureReason,
  returnPath: OwnPath | null,
  more: { detail?: string | null; retryAfterSeconds?: number } = {},
): Failure {
  return {
    ok: false,
    reason,
    returnPath,
    detail: more.detail ?? null,
    retryAfterSeconds: more.retryAfterSeconds ?? null,
  };
}
