// The usual case of a grant in one round trip, shared by all that come in one turn of the event loop. Whatever is not usual is
// left untouched, and grants.ts then judges it, refuses it, and ends what was misused.

import type { Database } from '../db/database.ts';
import type { Signer } from '../keys/keys.ts';
import { writeInOneTurn } from '../lib/one_turn.ts';
import { createUuid } from '../lib/random.ts';
import { createTaggedToken, hashToken } from '../lib/token.ts';
import { challengeOf } from './pkce.ts';
import {
  type Asking,
  boundKey,
  type CodeGiven,
  mayRefresh,
  presentTokens,
  type RefreshGiven,
  type TokenAnswer,
} from './token_answer.ts';
import type { Tokens } from './tokens.ts';
import * as store from './usual_grants_store.ts';

/** RFC 6749 §3.3: what a scope may be made of. Anything else is for the careful way to refuse. */
const SCOPES = /^[\x21\x23-\x5b\x5d-\x7e ]*$/;

export type UsualGrants = ReturnType<typeof createUsualGrants>;

export function createUsualGrants(options: { db: Database; tokens: Tokens }) {
  const { db, tokens } = options;
  const redeem = writeInOneTurn((asked: readonly store.AskedByCode[]) => store.grantByCode(db, asked));
  const refresh = writeInOneTurn((asked: readonly store.AskedByRefreshToken[]) => store.grantByRefreshToken(db, asked));
  const refreshAgain = writeInOneTurn((asked: readonly store.AskedByRefreshToken[]) => store.grantAgain(db, asked));

  /** Exchanges a code for tokens; null when that is not the usual case, and nothing was done. */
  async function byCode(
    asking: Asking,
    sign: Signer,
    given: CodeGiven & { code: string },
  ): Promise<TokenAnswer | null> {
    const { realm, client, dpopJkt } = asking;
    const { redirectUri, verifier } = given;
    const challenge = verifier === undefined ? null : challengeOf(verifier);
    const isUsual = redirectUri !== undefined && client.redirectUris.includes(redirectUri);
    if (!isUsual || (verifier !== undefined && challenge === null)) return null;
    const accessToken = tokens.draftAccessToken(client);
    if (accessToken === null) return null;
    const refreshToken = mayRefresh(client) ? createTaggedToken('cwr') : null;
    const granted = await redeem({
      codeHash: hashToken(given.code),
      realmId: realm.id,
      clientRowId: client.id,
      redirectUri,
      challenge,
      dpopJkt,
      familyId: createUuid(),
      accessHash: hashToken(accessToken),
      refreshHash: refreshToken === null ? null : hashToken(refreshToken),
      refreshJkt: boundKey(asking),
    });
    if (!granted) return null;
    const answer = presentTokens(accessToken, granted.scopes, dpopJkt);
    const to = { realm, client, sign, sub: granted.sub, profile: granted.profile };
    if (granted.scopes.includes('openid'))
      answer.id_token = await tokens.signIdToken(to, granted, { nonce: granted.nonce, accessToken });
    if (refreshToken !== null) answer.refresh_token = refreshToken;
    return answer;
  }

  /** Uses a refresh token, or gives its successor again; null when that is not the usual case, and nothing was done. */
  async function byRefreshToken(
    asking: Asking,
    sign: Signer,
    given: RefreshGiven & { refreshToken: string },
  ): Promise<TokenAnswer | null> {
    const { realm, client, dpopJkt } = asking;
    if (given.scope !== undefined && !SCOPES.test(given.scope)) return null;
    const accessToken = tokens.draftAccessToken(client);
    if (accessToken === null) return null;
    const successor = tokens.makeRefreshToken(given.refreshToken);
    const asked = {
      tokenHash: hashToken(given.refreshToken),
      clientRowId: client.id,
      dpopJkt,
      scope: given.scope === undefined ? null : [...new Set(given.scope.split(' ').filter(Boolean))].join(' '),
      successorHash: hashToken(successor.token),
      successorJwe: successor.jwe,
      accessHash: hashToken(accessToken),
    };
    const first = await refresh(asked);
    const again = first ? null : await refreshAgain(asked);
    const granted = first ?? again;
    if (!granted) return null;
    const answer = presentTokens(accessToken, granted.scopes, dpopJkt);
    const to = { realm, client, sign, sub: granted.sub, profile: granted.profile };
    if (granted.scopes.includes('openid'))
      answer.id_token = await tokens.signIdToken(to, granted, { nonce: null, accessToken });
    const next = again ? await tokens.openSuccessor(given.refreshToken, again.successorJwe) : successor.token;
    return { ...answer, refresh_token: next };
  }

  return { byCode, byRefreshToken };
}
