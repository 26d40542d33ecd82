// What a client's registration says of the standard protocol (RFC 7591 §2, OpenID Connect Registration §2), with every
// default. Stored as written under clients.protocol; parsed when a client is loaded.

import type { JWK } from 'jose';
import { z } from 'zod';

export const AUTHENTICATION_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const;
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number];
export const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
export type GrantType = (typeof GRANT_TYPES)[number];
/** Scopes that need no registration beyond the list of the client. */
export const STANDARD_SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'] as const;
export const SIGNING_ALGS = ['RS256', 'ES256', 'EdDSA'] as const;

/** Profile fields that a product may be allowed to write; never what somebody signs in with. */
export const PUSHBACK_FIELDS = ['name', 'first_name', 'last_name', 'phone_number', 'avatar_url', 'address'] as const;
export type PushbackField = (typeof PUSHBACK_FIELDS)[number];
export const DEFAULT_VERIFICATION_RESPONSE =
  '{user: {id: user.id, login: user.username || user.sub, full_name: user.name, email: user.email}}';

const verification = z.object({
  /** Header or parameter that carries the user id (or the user name, with a password). */
  user: z.string().default('IdP_user_ID'),
  /** Header or parameter that carries the access token or password. */
  credential: z.string().default('IdP_token'),
  accept: z.array(z.enum(['access_token', 'password'])).default(['access_token']),
  /** Whose access tokens count: this client's own, or those of every client of the realm. */
  tokens_of: z.enum(['client', 'realm']).default('client'),
  response: z.string().default(DEFAULT_VERIFICATION_RESPONSE),
});

const pushback = z.object({
  /** SHA-256 of the hook's secret, hexadecimal. */
  secret_sha256: z.string(),
  match_by: z.enum(['sub', 'verified_email']).default('sub'),
  /** JMESPath over the body: the sub or the e-mail address. */
  match: z.string(),
  /** JMESPath over the body; without it the header `Idempotency-Key` or `webhook-id` names the event. */
  event_id: z.string().optional(),
  /** JMESPath over the body: an object of profile fields. */
  mapping: z.string(),
  fields: z.array(z.enum(PUSHBACK_FIELDS)),
});

export type Verification = z.infer<typeof verification>;
export type Pushback = z.infer<typeof pushback>;

export const protocolSchema = z.object({
  token_endpoint_auth_method: z.enum(AUTHENTICATION_METHODS).default('client_secret_basic'),
  require_pkce: z.boolean().default(true),
  scopes: z.array(z.string()).default(['openid', 'profile', 'email']),
  grant_types: z.array(z.enum(GRANT_TYPES)).default(['authorization_code', 'refresh_token']),
  response_modes: z.array(z.enum(['query', 'form_post'])).default(['query', 'form_post']),
  access_token: z
    .object({
      format: z.enum(['opaque', 'jwt']).default('opaque'),
      claims: z.array(z.string()).default([]),
      audience: z.string().optional(),
    })
    .default({ format: 'opaque', claims: [] }),
  id_token_signed_response_alg: z.enum(SIGNING_ALGS).default('RS256'),
  userinfo_mapping: z.string().optional(),
  post_logout_redirect_uris: z.array(z.string()).default([]),
  backchannel_logout_uri: z.string().optional(),
  backchannel_logout_session_required: z.boolean().default(false),
  jwks: z.object({ keys: z.array(z.custom<JWK>((value) => typeof value === 'object' && value !== null)) }).optional(),
  jwks_uri: z.string().optional(),
  dpop_bound_access_tokens: z.boolean().default(false),
  require_pushed_authorization_requests: z.boolean().default(false),
  consent: z.enum(['ask', 'implied']).default('ask'),
  /** The client registered itself (RFC 7591): nobody vouches for its redirect URIs (security 26). Never written by an operator. */
  is_dynamic: z.boolean().default(false),
  /** `GET|POST /verify/:client_id` answers for this client. */
  verification: verification.optional(),
  /** `POST /hooks/profile/:client_id` takes changes of profiles from this client. */
  pushback: pushback.optional(),
});

export type Protocol = z.infer<typeof protocolSchema>;
