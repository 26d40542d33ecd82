// Authorization codes of the session-sharing flow: deciding on a request, issuing a code on the auth domain, and turning it
// into the domain session of the host where it arrives.

import type { Audit } from '../audit/audit.ts';
import { type Client, isLandingUri, landingUriOf } from '../clients/clients.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { CallbackUri, Host, PlainToken, RedirectUri, TokenHash } from '../lib/ids.ts';
import { writeInOneTurn } from '../lib/one_turn.ts';
import { createToken, hashToken, isSameHash } from '../lib/token.ts';
import type { Credential, LiveSession, Sessions } from '../sessions/sessions.ts';
import type { SessionDraft } from './authorization.ts';
import { decideRedeem } from './redeem.ts';
import * as store from './store.ts';

export { endTokens } from './account_tokens.ts';
export type { Check, Decision, Face, SessionDraft, SessionRequest } from './authorization.ts';
export { AUTHORIZATION_CHECKS } from './authorization_checks.ts';
export { decideAuthorization } from './authorization_decision.ts';
export { CLAIMS, claimsFor } from './claims.ts';
export { type ClientAuthentication, createClientAuthentication } from './client_authentication.ts';
export { checkDpopProof, DPOP_ALGS } from './dpop.ts';
export { deleteFamiliesBefore } from './family_store.ts';
export { createGrants, type Grants } from './grants.ts';
export { createHostTokens, type HostTokens } from './host_tokens.ts';
export { createIntegrationTokens, type IntegrationTokens } from './integration_tokens.ts';
export { oauthError, presentOAuthError } from './oauth_error.ts';
export { type ConsentSummary, createProvider, type Provider } from './provider.ts';
export { PROMPTS } from './provider_request.ts';
export { createRegistration, makeInitialToken, type Registration } from './registration.ts';
export { createTokenMemory } from './token_memory.ts';
export type { ActiveToken } from './token_store.ts';
export { createTokens } from './tokens.ts';
export { type BackChannelAsked, createUsualBackChannel, type UsualBackChannel } from './usual_back_channel.ts';

/** Life of a code. An expired one costs a reader nothing: the flow restarts by itself. (ASVS 10.4.3: at most a minute.) */
const CODE_TTL_SECONDS = 60;
/** Security 201: at most a minute. An app opens its web view at once. */
export const SESSION_TOKEN_SECONDS = 60;

export type Redemption = {
  code: PlainToken;
  /** What the address takes; a code of another kind is refused there, and dead (security 7). */
  kind: 'session' | 'session-token';
  host: Host;
  /** The enabled client of the host. */
  client: Client;
  /** Hashes of the flow cookies that the browser holds. */
  flowHashes: readonly Buffer[];
  /** The live session that the browser holds on this host. */
  current: LiveSession | null;
  address: string | null;
};

export type Redeemed =
  | {
      kind: 'created';
      callback: CallbackUri;
      credential: Credential /** Of the session, at most. */;
      remainingSeconds: number;
    }
  | { kind: 'again'; callback: CallbackUri }
  | { kind: 'restart'; callback: CallbackUri; isSilent: boolean }
  | { kind: 'back-anonymous'; callback: CallbackUri }
  | { kind: 'cookies-refused'; callback: CallbackUri }
  | { kind: 'refused' }
  /** No such code: never issued, long gone, or its session has ended. */
  | { kind: 'unknown' };

export type OAuth = ReturnType<typeof createOAuth>;

/** The codes of this server. */
export function createOAuth(options: { db: Database; audit: Audit; sessions: Sessions }) {
  const { db, audit, sessions } = options;
  const insertTogether = writeInOneTurn((drafts: readonly store.CodeDraft[]) => store.insertCodes(db, drafts));
  const redeemTogether = writeInOneTurn((asked: readonly store.FreshRedemption[]) => store.redeemFresh(db, asked));

  /** False when the session has ended in between. */
  const insertCode = async (draft: store.CodeDraft) => (await insertTogether(draft)) || store.insertCode(db, draft);

  /** A new code for a live SSO session; null when the session has ended in between. */
  async function issueCode(session: Pick<LiveSession, 'id'>, draft: SessionDraft): Promise<PlainToken | null> {
    const code = createToken();
    const isStored = await insertCode({
      ...draft,
      codeHash: hashToken(code),
      sessionId: session.id,
      ttlSeconds: CODE_TTL_SECONDS,
    });
    return isStored ? code : null;
  }

  /**
   * A one-time token with which the browser that holds the flow cookie gets a session of its own on the host of a client;
   * null when the session has ended in between. Stored, consumed and judged as the codes are.
   */
  async function issueSessionToken(
    session: LiveSession,
    to: { client: Client; redirectUri: RedirectUri; callbackUri: CallbackUri; flowHash: Buffer },
  ): Promise<PlainToken | null> {
    const token = createToken();
    const isStored = await insertCode({
      ...to,
      kind: 'session-token',
      isRestart: false,
      isSilent: false,
      codeHash: hashToken(token),
      sessionId: session.id,
      ttlSeconds: SESSION_TOKEN_SECONDS,
    });
    return isStored ? token : null;
  }

  /** Consumes a code and, in the same transaction, makes the domain session it stands for (or burns it). */
  async function redeem(redemption: Redemption): Promise<Redeemed> {
    return (await redeemFresh(redemption)) ?? redeemCarefully(redemption);
  }

  /** The usual case in one round trip, shared by all who come in one turn; null when it is another case, and nothing was done. */
  async function redeemFresh(redemption: Redemption): Promise<Redeemed | null> {
    const { client, host, kind } = redemption;
    // What the browser held before has to make room.
    if (redemption.current || !client.domain || redemption.flowHashes.length === 0) return null;
    const made = sessions.draftDomain();
    const asked = {
      codeHash: hashToken(redemption.code),
      kind,
      client,
      redirectUri: landingUriOf(client.domain.origin),
      flowHashes: redemption.flowHashes,
      domainSession: { ...made.draft, host },
      address: redemption.address,
    };
    const redeemed = await redeemTogether(asked);
    if (!redeemed) return null;
    const { callbackUri: callback, remainingSeconds } = redeemed;
    return { kind: 'created', callback, credential: made.credential, remainingSeconds };
  }

  function redeemCarefully(redemption: Redemption): Promise<Redeemed> {
    const codeHash = hashToken(redemption.code);
    return db.transaction(async (q) => {
      const consumed = await store.consumeCode(q, codeHash);
      const code = consumed ?? (await store.findCode(q, codeHash));
      if (!code) return { kind: 'unknown' };
      const decision = decideRedeem({
        state: !consumed ? 'used' : code.isExpired ? 'expired' : 'fresh',
        isForThisHost:
          code.kind === redemption.kind &&
          code.clientRowId === redemption.client.id &&
          // The other redirect URIs of a site are its backend's, which brings secret and API key (host_tokens.ts).
          isLandingUri(redemption.client, code.redirectUri),
        isFlowOfThisBrowser: redemption.flowHashes.some(
          (hash) => code.flowHash !== null && isSameHash(hash, code.flowHash),
        ),
        hasMadeSession: !consumed && code.domainSessionId !== null,
        holdsItsSession: code.domainSessionId !== null && redemption.current?.domainSessionId === code.domainSessionId,
        isJustUsed: code.isJustUsed,
        isRestart: code.isRestart,
        isSilent: code.isSilent,
      });
      const callback = code.callbackUri;
      switch (decision) {
        case 'create':
          return createFrom(q, codeHash, code, redemption);
        case 'restart':
          await record(q, 'code.restarted', code, redemption);
          return { kind: 'restart', callback, isSilent: code.isSilent };
        case 'replayed':
          await record(q, 'code.replayed', code, redemption);
          await store.lockCode(q, codeHash);
          if (code.domainSessionId) await sessions.removeDomain(q, code.domainSessionId);
          return { kind: 'refused' };
        case 'refuse':
          return { kind: 'refused' };
        case 'again':
        case 'back-anonymous':
        case 'cookies-refused':
          return { kind: decision, callback };
        default:
          return decision satisfies never;
      }
    });
  }

  async function createFrom(
    q: Queryable,
    codeHash: TokenHash,
    code: store.StoredCode,
    redemption: Redemption,
  ): Promise<Redeemed> {
    // A browser holds one session per host: what it held before makes room, so an id planted earlier is dead.
    if (redemption.current) await sessions.removeDomain(q, redemption.current.domainSessionId);
    const made = await sessions.addDomain(q, code.sessionId, redemption.host);
    if (!made) return { kind: 'restart', callback: code.callbackUri, isSilent: code.isSilent };
    await store.noteDomainSession(q, codeHash, made.id);
    await record(q, 'domain-session.created', code, redemption);
    return {
      kind: 'created',
      callback: code.callbackUri,
      credential: made.credential,
      remainingSeconds: made.remainingSeconds,
    };
  }

  const record = (
    q: Queryable,
    type: 'code.restarted' | 'code.replayed' | 'domain-session.created',
    code: store.StoredCode,
    redemption: Redemption,
  ) =>
    audit.record(q, {
      type,
      realmId: redemption.client.realmId,
      sessionId: code.sessionId,
      clientId: redemption.client.clientId,
      address: redemption.address,
      detail: { host: redemption.host },
    });

  const jobs: readonly Job[] = [{ name: 'oauth.sweep', everySeconds: 300, run: store.deleteOldCodes }];

  return { issueCode, issueSessionToken, redeemFresh, redeem, jobs };
}
