// What the token endpoint hands out: access tokens (opaque, or JWT of RFC 9068), refresh tokens, ID tokens. Every access token
// has a row, whatever its form, so revoking it works for both.

import { hash } from 'node:crypto';
import { compactDecrypt, decodeProtectedHeader, type JWTPayload } from 'jose';
import type { Account } from '../accounts/accounts.ts';
import type { Client } from '../clients/clients.ts';
import type { Queryable } from '../db/database.ts';
import { ALGS, type Keys, type Signer } from '../keys/keys.ts';
import { encryptCompact } from '../lib/compact.ts';
import { createUuid } from '../lib/random.ts';
import { deriveKey } from '../lib/seal.ts';
import { createTaggedToken, hashToken, isTaggedToken } from '../lib/token.ts';
import type { Realm } from '../realms/realms.ts';
import { claimsFor } from './claims.ts';
import * as store from './token_store.ts';

/** RFC 9068 §3 asks for short lives; a revoked JWT is refused by our own endpoints at once, by others when it expires. */
export const ACCESS_TOKEN_SECONDS = 600;
export const ID_TOKEN_SECONDS = 3600;
/** A family that is not refreshed for this long is over; with offline access longer. */
export const FAMILY_SECONDS = { online: 86_400 * 30, offline: 86_400 * 180 } as const;

export const ACCESS_TOKEN_TYP = 'at+jwt';
export const ID_TOKEN_TYP = 'JWT';

const LONGEST_ACCESS_TOKEN = 8192;

/**
 * Whether a text has the form of one of our access tokens: opaque with a right checksum, or a JWT whose header says what ours
 * say. It proves nothing; it keeps what anybody can make up away from the database.
 */
export function isAccessTokenForm(token: string): boolean {
  if (token.length > LONGEST_ACCESS_TOKEN) return false;
  if (isTaggedToken('cwa', token)) return true;
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token)) return false;
  try {
    const { typ, alg } = decodeProtectedHeader(token);
    return typ === ACCESS_TOKEN_TYP && (ALGS as readonly unknown[]).includes(alg);
  } catch {
    return false;
  }
}

export type Tokens = ReturnType<typeof createTokens>;
/** Whom tokens are for, and what signs them (made before the transaction, see Keys.signer). */
export type Grantee = { realm: Realm; client: Client; account: Account | null; sign: Signer };

/** @param options keys: sign for the realm's issuer */
export function createTokens(options: { keys: Keys }) {
  const { keys } = options;

  /** An access token that says nothing, to be stored by the caller; null for a client whose tokens say what they are of. */
  const draftAccessToken = (client: Client): string | null =>
    client.protocol.access_token.format === 'jwt' ? null : createTaggedToken('cwa');

  /** A new access token of a family. */
  async function issueAccessToken(
    q: Queryable,
    to: Grantee,
    family: store.Family,
    more: { scopes: readonly string[]; dpopJkt: string | null },
  ): Promise<string> {
    const { realm, client } = to;
    const { format, claims, audience } = client.protocol.access_token;
    const token =
      format === 'jwt'
        ? await signAccessToken(to, family, { ...more, claims, audience: audience ?? realm.authOrigin })
        : createTaggedToken('cwa');
    await store.insertAccessToken(q, {
      hash: hashToken(token),
      familyId: family.id,
      scopes: more.scopes,
      dpopJkt: more.dpopJkt,
      ttlSeconds: ACCESS_TOKEN_SECONDS,
    });
    return token;
  }

  function signAccessToken(
    { realm, client, account, sign }: Grantee,
    family: store.Family,
    more: { scopes: readonly string[]; dpopJkt: string | null; claims: readonly string[]; audience: string },
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const profile = account ? pick(claimsFor(account, more.scopes, [...more.claims]), more.claims) : {};
    const payload: JWTPayload = {
      ...profile,
      iss: realm.authOrigin,
      // RFC 9068 §5: a client's own token must not look like an account's.
      sub: account?.sub ?? `client:${client.clientId}`,
      aud: more.audience,
      client_id: client.clientId,
      scope: more.scopes.join(' '),
      iat: now,
      exp: now + ACCESS_TOKEN_SECONDS,
      jti: createUuid(),
      ...(account && { auth_time: family.detail.authTime }),
      ...(more.dpopJkt && { cnf: { jkt: more.dpopJkt } }),
    };
    return sign(client.protocol.id_token_signed_response_alg, payload, { typ: ACCESS_TOKEN_TYP });
  }

  /**
   * OpenID Connect Core §2: who signed in, when and how, for this client alone.
   * @param to profile: where claims were asked for one by one; sub: of the account
   */
  function signIdToken(
    to: Omit<Grantee, 'account'> & { sub: string; profile: Account | null },
    family: Pick<store.Family, 'sid' | 'detail'>,
    more: { nonce: string | null; accessToken: string },
  ): Promise<string> {
    const { realm, client, sub, profile } = to;
    const alg = client.protocol.id_token_signed_response_alg;
    const now = Math.floor(Date.now() / 1000);
    const { detail } = family;
    const payload: JWTPayload = {
      ...(profile && pick(claimsFor(profile, [], [...detail.idTokenClaims]), detail.idTokenClaims)),
      iss: realm.authOrigin,
      sub,
      aud: client.clientId,
      iat: now,
      exp: now + ID_TOKEN_SECONDS,
      auth_time: detail.authTime,
      acr: detail.acr,
      amr: [...detail.amr],
      at_hash: leftHalf(alg, more.accessToken),
      ...(family.sid && { sid: family.sid }),
      ...(more.nonce !== null && { nonce: more.nonce }),
    };
    return to.sign(alg, payload, { typ: ID_TOKEN_TYP });
  }

  /** A refresh token, and the form in which its predecessor's row keeps it: readable only with the predecessor itself. */
  function makeRefreshToken(predecessor: string | null): { token: string; jwe: string } {
    const token = createTaggedToken('cwr');
    const jwe = predecessor === null ? '' : encryptCompact(token, deriveKey(predecessor, 'refresh-successor'));
    return { token, jwe };
  }

  /** The successor that was given out for a refresh token before. */
  async function openSuccessor(predecessor: string, jwe: string): Promise<string> {
    const { plaintext } = await compactDecrypt(jwe, deriveKey(predecessor, 'refresh-successor'), {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    return new TextDecoder().decode(plaintext);
  }

  /** What signs for a client; ask before anything is written. */
  const signer = (realm: Realm, client: Client): Promise<Signer> =>
    keys.signer(realm.id, client.protocol.id_token_signed_response_alg);

  return { signer, draftAccessToken, issueAccessToken, signIdToken, makeRefreshToken, openSuccessor };
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that goes with the signature's algorithm. */
function leftHalf(alg: string, token: string): string {
  const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', token, 'buffer');
  return digest.subarray(0, digest.length / 2).toString('base64url');
}

function pick(claims: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => name !== 'sub' && names.includes(name)));
}
