// Dynamic client registration (RFC 7591, OpenID Connect Dynamic Client Registration): what a program may say of its client,
// and making the client. Whoever registers is nobody we know: the client is a third party, asks readers for consent, needs
// PKCE and is marked `is_dynamic` (security 26, 178). HTTP is in registration_routes.ts.

import { z } from 'zod';
import type { Audit } from '../audit/audit.ts';
import {
  AUTHENTICATION_METHODS,
  type Clients,
  findEndpointFault,
  findRedirectUriFault,
  GRANT_TYPES,
  SIGNING_ALGS,
  STANDARD_SCOPES,
} from '../clients/clients.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import { AppError } from '../http/errors.ts';
import type { RealmId } from '../lib/ids.ts';
import { createTaggedToken, createToken, hashToken } from '../lib/token.ts';
import type { Realm } from '../realms/realms.ts';
import { oauthError } from './oauth_error.ts';
import * as store from './registration_store.ts';

/** More than products a publisher has; few enough that what a leaked token leaves behind can be looked through. */
export const MOST_DYNAMIC_CLIENTS = 1000;
const MOST_URIS = 20;
const MOST_KEYS = 20;
const LONGEST_NAME = 200;
const LONGEST_SCOPE = 1000;
// Line breaks, and signs that reorder text: on the consent page a name must not pass for something else.
const DECEPTIVE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const URI_RULE = 'give absolute https URLs of host names, without fragment, user name or wildcard';
const ENDPOINT_RULE = 'give an https URL of a host name, without fragment, user name or wildcard';

/** RFC 7591 §2: members that are not named here are ignored, so nothing of an operator's choices can be sent. */
function createMetadataSchema(allowLoopback: boolean) {
  const uris = z
    .array(z.string().refine((text) => findRedirectUriFault(text, allowLoopback) === null, URI_RULE))
    .max(MOST_URIS);
  const endpoint = z.string().refine((text) => findEndpointFault(text, allowLoopback, '') === null, ENDPOINT_RULE);
  const publicKey = z
    .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) })
    .refine((key) => !('d' in key), 'send the public part of the key, without d');
  return z
    .object({
      redirect_uris: uris.min(1),
      client_name: z
        .string()
        .trim()
        .min(1)
        .max(LONGEST_NAME)
        .refine((name) => !DECEPTIVE.test(name), 'leave out control characters')
        .optional(),
      token_endpoint_auth_method: z.enum(AUTHENTICATION_METHODS).default('client_secret_basic'),
      grant_types: z.array(z.enum(GRANT_TYPES)).min(1).default(['authorization_code']),
      response_types: z.array(z.literal('code')).default(['code']),
      scope: z.string().max(LONGEST_SCOPE).optional(),
      jwks: z.object({ keys: z.array(publicKey).min(1).max(MOST_KEYS) }).optional(),
      jwks_uri: endpoint.optional(),
      id_token_signed_response_alg: z.enum(SIGNING_ALGS).default('RS256'),
      subject_type: z.literal('public').default('public'),
      post_logout_redirect_uris: uris.optional(),
      backchannel_logout_uri: endpoint.optional(),
      backchannel_logout_session_required: z.boolean().optional(),
      dpop_bound_access_tokens: z.boolean().optional(),
      require_pushed_authorization_requests: z.boolean().optional(),
      // OpenID Connect Dynamic Client Registration §5: one that is given MUST be fetched and compared; it serves only pairwise
      // subjects, which are not offered.
      sector_identifier_uri: z.never('sector_identifier_uri is not offered; subjects are public').optional(),
    })
    .superRefine((sent, context) => {
      const fault = findContradiction(sent);
      if (fault) context.addIssue({ code: 'custom', path: [fault.member], message: fault.says });
    });
}

type Metadata = z.infer<ReturnType<typeof createMetadataSchema>>;

function findContradiction(
  sent: Pick<Metadata, 'token_endpoint_auth_method' | 'grant_types' | 'response_types' | 'jwks' | 'jwks_uri'>,
): { member: keyof Metadata; says: string } | null {
  const { token_endpoint_auth_method: method, grant_types: grants } = sent;
  // RFC 7591 §2: jwks and jwks_uri MUST NOT both be present.
  if (sent.jwks && sent.jwks_uri !== undefined) return { member: 'jwks', says: 'send jwks or jwks_uri, not both' };
  if (method === 'private_key_jwt' && !sent.jwks && sent.jwks_uri === undefined)
    return { member: 'jwks', says: 'private_key_jwt needs jwks or jwks_uri' };
  // RFC 7591 §2.1: response type code goes with the grant authorization_code.
  if (grants.includes('authorization_code') !== sent.response_types.includes('code'))
    return { member: 'response_types', says: 'code goes with the grant authorization_code' };
  if (grants.includes('refresh_token') && !grants.includes('authorization_code'))
    return { member: 'grant_types', says: 'refresh_token needs authorization_code' };
  // RFC 6749 §4.4: client credentials are for confidential clients alone.
  return method === 'none' && grants.includes('client_credentials')
    ? { member: 'grant_types', says: 'client_credentials needs a client that authenticates' }
    : null;
}

/**
 * What a registration request asks for, proven.
 * @throws OAuth error invalid_redirect_uri or invalid_client_metadata (RFC 7591 §3.2.2), naming the member
 */
export function parseMetadata(sent: Record<string, unknown>, allowLoopback: boolean): Metadata {
  const parsed = createMetadataSchema(allowLoopback).safeParse(sent);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const isRedirect = issues.some(({ path }) => path[0] === 'redirect_uris');
  const description = issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ');
  throw oauthError(isRedirect ? 'invalid_redirect_uri' : 'invalid_client_metadata', { description });
}

/** The scopes of a request that anybody may register; all of them without any (RFC 7591 §2: the server's choice). */
function registrableScopes(scope: string | undefined): string[] {
  const wanted = scope?.split(' ');
  return STANDARD_SCOPES.filter((known) => wanted?.includes(known) ?? true);
}

export type Registration = ReturnType<typeof createRegistration>;

/** Registration over one database. */
export function createRegistration(options: { db: Database; audit: Audit; clients: Clients; allowLoopback: boolean }) {
  const { db, audit, clients, allowLoopback } = options;

  /** Whether an initial access token is good for one more client of that realm; takes no use. */
  const isUsable = (realmId: RealmId, token: string): Promise<boolean> =>
    store.isInitialTokenUsable(db, hashToken(token), realmId);

  /**
   * Makes a client and takes one use of the token, both or neither.
   * @returns the answer of RFC 7591 §3.2.1 with the secret, which is not stored; null when the token has been used up meanwhile
   * @throws OAuth errors of parseMetadata; too_many_requests at the quota of the realm
   */
  async function register(
    realm: Realm,
    token: string,
    sent: Record<string, unknown>,
    address: string | null,
  ): Promise<Record<string, unknown> | null> {
    const metadata = parseMetadata(sent, allowLoopback);
    const {
      redirect_uris: redirectUris,
      client_name: name,
      response_types,
      subject_type,
      scope,
      sector_identifier_uri: _,
      ...said
    } = metadata;
    const scopes = registrableScopes(scope);
    const clientId = `dyn_${createToken().slice(0, 22)}`;
    const secret = said.token_endpoint_auth_method.startsWith('client_secret_') ? createTaggedToken('cws') : null;
    const protocol = { ...said, scopes, require_pkce: true, consent: 'ask', is_dynamic: true };
    const issuedAt = await db.transaction(async (q) => {
      if ((await store.countDynamicClients(q, realm.id)) >= MOST_DYNAMIC_CLIENTS)
        throw new AppError('too_many_requests', { description: 'This realm takes no more registered clients.' });
      if (!(await store.useInitialToken(q, hashToken(token), realm.id))) return null;
      await clients.put(q, realm.id, {
        clientId,
        kind: 'third-party',
        name: name ?? clientId,
        domain: null,
        redirectUris,
        secret,
        proxySecret: null,
        integrationSecret: null,
        protocol,
        brand: {},
        isDisabled: false,
      });
      await audit.record(q, {
        type: 'client.registered',
        realmId: realm.id,
        clientId,
        address,
        detail: { redirect_uris: redirectUris },
      });
      return store.readIssuedAt(q, realm.id, clientId);
    });
    if (!issuedAt) return null;
    return {
      client_id: clientId,
      client_id_issued_at: Math.floor(issuedAt.getTime() / 1000),
      ...(secret !== null && { client_secret: secret, client_secret_expires_at: 0 }),
      redirect_uris: redirectUris,
      client_name: name ?? clientId,
      response_types,
      subject_type,
      scope: scopes.join(' '),
      ...said,
    };
  }

  const jobs: readonly Job[] = [
    { name: 'oauth.sweep_initial_tokens', everySeconds: 3600, run: store.deleteExpiredInitialTokens },
  ];

  return { isUsable, register, jobs };
}

/** A new initial access token of a realm, stored as its hash. Prefixed, so that scanners of source code know it for a secret. */
export async function makeInitialToken(
  q: Queryable,
  of: { realmId: RealmId; uses: number; ttlSeconds: number },
): Promise<string> {
  const token = createTaggedToken('cwi');
  await store.insertInitialToken(q, { hash: hashToken(token), ...of });
  return token;
}
