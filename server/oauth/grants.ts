// The grants of the token endpoint, each in the order of its section: authorization_code (RFC 6749 §4.1.3), refresh_token (§6,
// RFC 9700 §4.14.2), client_credentials (§4.4).

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import { GRANT_TYPES, type GrantType } from '../clients/clients.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import { createUuid } from '../lib/random.ts';
import { hashToken, isTaggedToken, parseToken } from '../lib/token.ts';
import { oauthError } from './oauth_error.ts';
import { isVerified } from './pkce.ts';
import { narrowScopes } from './scope.ts';
import {
  type Asking,
  boundKey,
  type CodeGiven,
  mayRefresh,
  presentTokens,
  type RefreshGiven,
  type TokenAnswer,
} from './token_answer.ts';
import * as store from './token_store.ts';
import { ACCESS_TOKEN_SECONDS, FAMILY_SECONDS, type Grantee, type Tokens } from './tokens.ts';
import { createUsualGrants } from './usual_grants.ts';

/** Whether that is one of our grants. */
export const isGrantType = (text: string): text is GrantType => (GRANT_TYPES as readonly string[]).includes(text);

export type Grants = ReturnType<typeof createGrants>;

/** The grants over one database. */
export function createGrants(options: {
  db: Database;
  audit: Audit;
  accounts: Accounts;
  tokens: Tokens;
  noteClient: (q: Queryable, family: store.Family, sub: string) => Promise<void>;
}) {
  const { db, audit, accounts, tokens } = options;
  const usual = createUsualGrants(options);

  /** Exchanges a code. A failed try of the right client burns it; a second use ends what the first made. */
  async function byAuthorizationCode(asking: Asking, given: CodeGiven): Promise<TokenAnswer> {
    const code = parseToken(given.code);
    if (given.code === undefined) throw oauthError('invalid_request', { description: 'Send code.' });
    if (!code) throw oauthError('invalid_grant');
    const sign = await tokens.signer(asking.realm, asking.client);
    const served = await usual.byCode(asking, sign, { ...given, code });
    if (served) return served;
    const outcome = await db.transaction(async (q) => {
      const codeHash = hashToken(code);
      const found = await store.consumeProviderCode(q, codeHash);
      if (!found) return refuseUsedCode(q, codeHash, asking);
      const refused = checkCode(found, asking, given);
      if (refused) return refused;
      const account = await accounts.findById(q, found.accountId);
      if (!account) return 'the account is disabled';
      return { answer: await begin(q, { ...asking, sign }, account, found, codeHash) };
    });
    // RFC 6749 §5.2. The code is used up whatever the reason, and the reason stays in our log.
    if (typeof outcome === 'string')
      throw oauthError('invalid_grant', { detail: { reason: outcome, client: asking.client.clientId } });
    return outcome.answer;
  }

  function checkCode(
    code: store.ProviderCode,
    asking: Asking,
    given: { redirectUri: string | undefined; verifier: string | undefined },
  ): string | null {
    if (code.kind !== 'oidc') return 'code of another flow';
    if (code.isExpired) return 'expired';
    // RFC 6749 §4.1.3: the code must have been issued to this client, for this redirect URI.
    if (code.clientRowId !== asking.client.id) return 'code of another client';
    if (code.redirectUri !== given.redirectUri) return 'redirect_uri differs';
    // RFC 7636 §4.6: without a matching verifier the request MUST be refused.
    if (!isVerified(code.detail.codeChallenge, given.verifier)) return 'PKCE';
    // RFC 9449 §10.1: a code that was asked for with a key is only for that key.
    return code.detail.dpopJkt !== null && code.detail.dpopJkt !== asking.dpopJkt ? 'dpop_jkt differs' : null;
  }

  /** RFC 6749 §4.1.2: a second use is denied, and the tokens of the first SHOULD be revoked. */
  async function refuseUsedCode(q: Queryable, codeHash: ReturnType<typeof hashToken>, asking: Asking): Promise<string> {
    const used = await store.findProviderCode(q, codeHash);
    if (used?.kind !== 'oidc') return 'unknown';
    if (used.clientRowId === asking.client.id && used.familyId) {
      await store.deleteFamily(q, used.familyId);
      await audit.record(q, {
        type: 'code.replayed',
        realmId: asking.realm.id,
        accountId: used.accountId,
        clientId: asking.client.clientId,
        address: asking.address,
      });
    }
    return 'used before';
  }

  async function begin(
    q: Queryable,
    asking: Asking & Pick<Grantee, 'sign'>,
    account: Account,
    code: store.ProviderCode,
    codeHash: ReturnType<typeof hashToken>,
  ): Promise<TokenAnswer> {
    const { realm, client } = asking;
    const { scopes, nonce, codeChallenge: _, dpopJkt: __, ...detail } = code.detail;
    const isOffline = scopes.includes('offline_access');
    const family: store.Family = {
      id: createUuid(),
      realmId: realm.id,
      clientRowId: client.id,
      accountId: account.id,
      // OpenID Connect Back-Channel Logout §2.7: without offline access refresh tokens end with the session.
      sessionId: isOffline ? null : code.sessionId,
      sid: code.sessionId,
      scopes,
      detail,
    };
    await store.insertFamily(q, family, isOffline ? FAMILY_SECONDS.offline : FAMILY_SECONDS.online);
    await store.noteFamily(q, codeHash, family.id);
    await options.noteClient(q, family, account.sub);
    const to = { realm, client, account, sign: asking.sign };
    const answer = await answerWith(q, to, family, scopes, asking.dpopJkt);
    if (scopes.includes('openid'))
      answer.id_token = await tokens.signIdToken({ ...to, sub: account.sub, profile: account }, family, {
        nonce,
        accessToken: answer.access_token,
      });
    if (mayRefresh(client)) {
      const { token } = tokens.makeRefreshToken(null);
      await store.insertRefreshToken(q, {
        hash: hashToken(token),
        familyId: family.id,
        dpopJkt: boundKey(asking),
        ttlSeconds: isOffline ? FAMILY_SECONDS.offline : FAMILY_SECONDS.online,
      });
      answer.refresh_token = token;
    }
    return answer;
  }

  async function answerWith(
    q: Queryable,
    to: Grantee,
    family: store.Family,
    scopes: readonly string[],
    dpopJkt: string | null,
  ): Promise<TokenAnswer> {
    const accessToken = await tokens.issueAccessToken(q, to, family, { scopes, dpopJkt });
    return presentTokens(accessToken, scopes, dpopJkt);
  }

  /**
   * Refreshes. The token is replaced; presented again within 10 s (parallel tabs, a lost answer) it gives the same successor,
   * later it ends the whole family, on every node.
   */
  async function byRefreshToken(asking: Asking, given: RefreshGiven): Promise<TokenAnswer> {
    const { refreshToken } = given;
    if (refreshToken === undefined) throw oauthError('invalid_request', { description: 'Send refresh_token.' });
    if (!isTaggedToken('cwr', refreshToken)) throw oauthError('invalid_grant');
    const sign = await tokens.signer(asking.realm, asking.client);
    const served = await usual.byRefreshToken(asking, sign, { ...given, refreshToken });
    if (served) return served;
    const outcome = await db.transaction(async (q) => {
      const found = await store.findRefreshToken(q, hashToken(refreshToken));
      // RFC 6749 §6: bound to its client; somebody else's try does not harm the family.
      if (!found || found.isExpired || found.family.clientRowId !== asking.client.id)
        return 'unknown, expired or of another client';
      if (found.dpopJkt !== null && found.dpopJkt !== asking.dpopJkt) return 'bound to another key';
      const scopes = narrowScopes(given.scope, found.family.scopes);
      if (!scopes) throw oauthError('invalid_scope');
      const account = await accounts.findById(q, found.family.accountId as AccountId);
      if (!account) return 'the account is disabled';
      const successor = await takeSuccessor(q, asking, refreshToken, found);
      if (successor === null) return 'used before';
      const to = { realm: asking.realm, client: asking.client, account, sign };
      const answer = await answerWith(q, to, found.family, scopes, asking.dpopJkt);
      if (scopes.includes('openid'))
        answer.id_token = await tokens.signIdToken({ ...to, sub: account.sub, profile: account }, found.family, {
          nonce: null,
          accessToken: answer.access_token,
        });
      return { answer: { ...answer, refresh_token: successor } };
    });
    if (typeof outcome === 'string')
      throw oauthError('invalid_grant', { detail: { reason: outcome, client: asking.client.clientId } });
    return outcome.answer;
  }

  async function takeSuccessor(
    q: Queryable,
    asking: Asking,
    refreshToken: string,
    before: store.RefreshToken,
  ): Promise<string | null> {
    const rotated = before.isUsed ? null : await rotate(q, refreshToken, before);
    if (rotated !== null) return rotated;
    const now = before.isUsed ? before : await store.findRefreshToken(q, hashToken(refreshToken));
    if (now?.isWithinGrace && !now.isSuccessorUsed && now.successorJwe)
      return tokens.openSuccessor(refreshToken, now.successorJwe);
    if (now) {
      await store.deleteFamily(q, now.family.id);
      await audit.record(q, {
        type: 'refresh.reused',
        realmId: asking.realm.id,
        accountId: now.family.accountId,
        clientId: asking.client.clientId,
        address: asking.address,
      });
    }
    return null;
  }

  /** Uses a token and makes its successor; null when it was used before. */
  async function rotate(q: Queryable, refreshToken: string, before: store.RefreshToken): Promise<string | null> {
    const made = tokens.makeRefreshToken(refreshToken);
    const successor = { hash: hashToken(made.token), jwe: made.jwe };
    if (!(await store.rotateRefreshToken(q, hashToken(refreshToken), successor))) return null;
    await store.insertRefreshToken(q, {
      hash: successor.hash,
      familyId: before.family.id,
      dpopJkt: before.dpopJkt,
      ttlSeconds: before.family.sessionId === null ? FAMILY_SECONDS.offline : FAMILY_SECONDS.online,
    });
    return made.token;
  }

  /** A token for the client itself; it names no account. */
  async function byClientCredentials(asking: Asking, given: { scope: string | undefined }): Promise<TokenAnswer> {
    const { realm, client } = asking;
    // RFC 6749 §4.4: only confidential clients.
    if (client.protocol.token_endpoint_auth_method === 'none') throw oauthError('unauthorized_client');
    const own = client.protocol.scopes.filter((scope) => !['openid', 'offline_access'].includes(scope));
    const scopes = narrowScopes(given.scope ?? '', own);
    if (!scopes) throw oauthError('invalid_scope');
    const sign = await tokens.signer(realm, client);
    return db.transaction(async (q) => {
      const family: store.Family = {
        id: createUuid(),
        realmId: realm.id,
        clientRowId: client.id,
        accountId: null,
        sessionId: null,
        sid: null,
        scopes,
        detail: { authTime: 0, amr: [], acr: '', userinfoClaims: [], idTokenClaims: [] },
      };
      await store.insertFamily(q, family, ACCESS_TOKEN_SECONDS);
      return answerWith(q, { realm, client, account: null, sign }, family, scopes, asking.dpopJkt);
    });
  }

  /** By what stands in the form of a request. */
  function byForm(grant: GrantType, asking: Asking, form: ReadonlyMap<string, string>): Promise<TokenAnswer> {
    const scope = form.get('scope');
    switch (grant) {
      case 'authorization_code':
        return byAuthorizationCode(asking, {
          code: form.get('code'),
          redirectUri: form.get('redirect_uri'),
          verifier: form.get('code_verifier'),
        });
      case 'refresh_token':
        return byRefreshToken(asking, { refreshToken: form.get('refresh_token'), scope });
      case 'client_credentials':
        return byClientCredentials(asking, { scope });
      default:
        return grant satisfies never;
    }
  }

  return { byForm, byAuthorizationCode, byRefreshToken, byClientCredentials };
}
