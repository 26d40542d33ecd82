// The standard provider (RFC 6749, OpenID Connect Core): issuing codes, pushed requests, consent, introspection, revocation,
// and looking an access token up. HTTP is in provider_routes.ts, grants are in grants.ts.

import type { SignedIn } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Client } from '../clients/clients.ts';
import type { Database } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { AccountId, ClientRowId, PlainToken, TokenHash } from '../lib/ids.ts';
import { inOneTurn, writeInOneTurn } from '../lib/one_turn.ts';
import { createToken, hashToken, isTaggedToken } from '../lib/token.ts';
import { acrAnswer, acrOf } from '../mfa/mfa.ts';
import type { Realm } from '../realms/realms.ts';
import type { OidcDraft } from './authorization.ts';
import * as consents from './consent_store.ts';
import * as once from './once_store.ts';
import type { AuthorizeParameters } from './provider_request.ts';
import type { TokenMemory } from './token_memory.ts';
import * as store from './token_store.ts';
import { isAccessTokenForm } from './tokens.ts';

const CODE_TTL_SECONDS = 60;
/** RFC 9126 §2.2 asks for a short life; it must outlast nothing but a redirect. */
export const PUSHED_TTL_SECONDS = 90;
const PUSHED_PREFIX = 'urn:ietf:params:oauth:request_uri:';

export type ConsentSummary = Awaited<ReturnType<typeof consents.listConsents>>[number];
export type Provider = ReturnType<typeof createProvider>;

/** The provider over one database. @param options memory: of access tokens in use */
export function createProvider(options: { db: Database; audit: Audit; memory: TokenMemory }) {
  const { db, audit, memory } = options;
  const findConsent = inOneTurn((asked: readonly consents.Consenting[]) => consents.findConsents(db, asked));
  const insertTogether = writeInOneTurn((drafts: readonly store.CodeDraft[]) => store.insertProviderCodes(db, drafts));
  const readActive = inOneTurn((hashes: readonly TokenHash[]) => store.findActiveTokens(db, hashes));

  /** False when the session has ended in between. */
  const insertCode = async (draft: store.CodeDraft) =>
    (await insertTogether(draft)) || store.insertProviderCode(db, draft);

  /** A code for a signed-in reader; null when the session has ended in between. */
  async function issueCode(signedIn: SignedIn, draft: OidcDraft): Promise<PlainToken | null> {
    const code = createToken();
    const detail: store.CodeDetail = {
      scopes: draft.scopes,
      nonce: draft.nonce,
      codeChallenge: draft.codeChallenge,
      dpopJkt: draft.dpopJkt,
      authTime: Math.floor(signedIn.session.authenticatedAt.getTime() / 1000),
      amr: signedIn.session.amr,
      acr: acrAnswer(draft.claims.essentialAcr, acrOf(signedIn.session.amr)),
      userinfoClaims: draft.claims.userinfo,
      idTokenClaims: draft.claims.idToken,
    };
    const isStored = await insertCode({
      codeHash: hashToken(code),
      sessionId: signedIn.session.id,
      clientRowId: draft.client.id,
      redirectUri: draft.redirectUri,
      detail,
      ttlSeconds: CODE_TTL_SECONDS,
    });
    return isStored ? code : null;
  }

  /** RFC 9126 §2.2: keeps an authenticated client's request and names it by a URI that works once. */
  async function push(
    client: Client,
    parameters: Record<string, string>,
  ): Promise<{ request_uri: string; expires_in: number }> {
    const handle = createToken();
    await once.insertPushedRequest(db, {
      hash: hashToken(handle),
      clientRowId: client.id,
      parameters,
      ttlSeconds: PUSHED_TTL_SECONDS,
    });
    return { request_uri: `${PUSHED_PREFIX}${handle}`, expires_in: PUSHED_TTL_SECONDS };
  }

  /** The parameters behind a pushed request URI of this client, used up by asking; null for any other URI. */
  async function takePushed(client: Client, requestUri: string): Promise<AuthorizeParameters | null> {
    if (!requestUri.startsWith(PUSHED_PREFIX)) return null;
    return once.consumePushedRequest(db, hashToken(requestUri.slice(PUSHED_PREFIX.length)), client.id);
  }

  /** What an account allowed a client before; null when nothing, and for a client that need not be allowed anything. */
  const consentedScopes = async (accountId: AccountId, client: Client): Promise<string[] | null> =>
    client.protocol.consent === 'implied' ? null : findConsent({ accountId, clientRowId: client.id });

  /** Remembers a yes on the consent page. */
  async function consent(
    signedIn: SignedIn,
    client: Client,
    scopes: readonly string[],
    address: string | null,
  ): Promise<void> {
    await db.transaction(async (q) => {
      await consents.putConsent(q, signedIn.account.id, client.id, scopes);
      await audit.record(q, {
        type: 'consent.given',
        realmId: client.realmId,
        accountId: signedIn.account.id,
        sessionId: signedIn.session.id,
        clientId: client.clientId,
        address,
        detail: { scopes },
      });
    });
  }

  const listConsents = (accountId: AccountId): Promise<ConsentSummary[]> => consents.listConsents(db, accountId);

  /** Forgets a consent and ends every token that came of it. False when there was none. */
  async function withdrawConsent(
    signedIn: SignedIn,
    clientRowId: ClientRowId,
    address: string | null,
  ): Promise<boolean> {
    return db.transaction(async (q) => {
      const isWithdrawn = await consents.deleteConsent(q, signedIn.account.id, clientRowId);
      if (isWithdrawn)
        await audit.record(q, {
          type: 'consent.withdrawn',
          realmId: signedIn.account.realmId,
          accountId: signedIn.account.id,
          address,
        });
      return isWithdrawn;
    });
  }

  /** A live access token of a realm with its account; null for anything else, an ID token included. */
  async function findActive(realm: Realm, token: string): Promise<store.ActiveToken | null> {
    // What is not in our own form was not made by us, and costs no look-up.
    if (!isAccessTokenForm(token)) return null;
    const hash = hashToken(token);
    const found = memory.find(hash) ?? (await readAndKeep(hash));
    return found?.family.realmId === realm.id ? found : null;
  }

  /** The same, if it is in memory and may be answered from there at this moment. */
  function peekActive(realm: Realm, token: string): store.ActiveToken | null {
    const found = memory.find(hashToken(token));
    return found?.family.realmId === realm.id ? found : null;
  }

  async function readAndKeep(hash: TokenHash): Promise<store.ActiveToken | null> {
    // Taken before the read can be sent.
    const mark = memory.markRead();
    const found = await readActive(hash);
    if (found) memory.keep(hash, found, mark);
    return found;
  }

  /** RFC 7662 §2.2: what a token is worth; `{active: false}` and nothing more for whoever is not entitled to know. */
  async function introspect(realm: Realm, client: Client, token: string): Promise<Record<string, unknown>> {
    const active = await findActive(realm, token);
    if (active && active.family.clientRowId === client.id) return presentActive(realm, client, active);
    const refresh = isTaggedToken('cwr', token) ? await store.findRefreshToken(db, hashToken(token)) : null;
    if (!refresh || refresh.isUsed || refresh.isExpired || refresh.family.clientRowId !== client.id)
      return { active: false };
    return { active: true, scope: refresh.family.scopes.join(' '), client_id: client.clientId, iss: realm.authOrigin };
  }

  /** RFC 7009 §2.1: ends a token of this client; a refresh token takes its family with it. Unknown tokens are fine. */
  async function revoke(client: Client, token: string): Promise<void> {
    // Whoever has just ended it may still be waiting for the other nodes.
    if (!(await endToken(client, token))) await db.settled();
  }

  async function endToken(client: Client, token: string): Promise<boolean> {
    const hash = hashToken(token);
    // RFC 7009 §2.1: a token of another client is not revoked.
    if (isTaggedToken('cwr', token)) {
      const refresh = await store.findRefreshToken(db, hash);
      return refresh?.family.clientRowId === client.id && (await store.deleteFamily(db, refresh.family.id));
    }
    if (!isAccessTokenForm(token)) return false;
    const [access] = await store.findActiveTokens(db, [hash]);
    return access?.family.clientRowId === client.id && (await store.deleteAccessToken(db, hash));
  }

  /** The database's time, milliseconds since the epoch: the same on every node. */
  const now = (): Promise<number> => store.readNow(db);

  /** Takes an identifier that may be used once, on all nodes. */
  const takeOnce = (identifier: string, seconds: number): Promise<boolean> =>
    once.useIdentifier(db, hashToken(identifier), seconds);

  const jobs: readonly Job[] = [{ name: 'oauth.sweep_tokens', everySeconds: 300, run: store.deleteExpiredTokens }];

  return {
    issueCode,
    push,
    takePushed,
    consentedScopes,
    consent,
    listConsents,
    withdrawConsent,
    findActive,
    peekActive,
    introspect,
    revoke,
    takeOnce,
    now,
    jobs,
  };
}

/** RFC 7662 §2.2: what an access token is worth that is live, for the client that it was made for. */
export function presentActive(realm: Realm, client: Client, active: store.ActiveToken): Record<string, unknown> {
  return {
    active: true,
    scope: active.scopes.join(' '),
    client_id: client.clientId,
    token_type: active.dpopJkt ? 'DPoP' : 'Bearer',
    exp: Math.floor(active.expiresAt.getTime() / 1000),
    iat: Math.floor(active.issuedAt.getTime() / 1000),
    sub: active.account?.sub ?? `client:${client.clientId}`,
    aud: client.protocol.access_token.audience ?? realm.authOrigin,
    iss: realm.authOrigin,
    ...(active.dpopJkt && { cnf: { jkt: active.dpopJkt } }),
  };
}
