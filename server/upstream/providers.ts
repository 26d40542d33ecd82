// The providers that readers may sign in with, one row each: where they are, what they are asked for, when their word about an
// e-mail address counts, and where they leave the standard. docs/upstream-providers.md is generated from here.

import type { Claims } from './person.ts';

/** Addresses of a provider that publishes none (or wrong ones) for discovery. */
export type Endpoints = {
  authorization: string;
  token: string;
  userinfo?: string;
  jwks?: string;
  /** List of a person's addresses (GitHub). */
  emails?: string;
};

/** How an access token of an app is checked for its audience (security 203); without one such tokens are refused. */
export type Inspection = { how: 'google' | 'facebook' | 'github' | 'linkedin'; url: string };

export type Provider = {
  name: string;
  kind: 'oidc' | 'oauth2';
  /** Null where the realm file gives it. `{tenant}` is the setting of that name. */
  issuer: string | null;
  /** Null: found by discovery (OpenID Connect Discovery §4), or given by the realm file. */
  endpoints: Endpoints | null;
  scopes: readonly string[];
  /** Whether the provider's own word is that this person controls the address (security 161). */
  isEmailVerified(claims: Claims): boolean;
  /** Domains for which that word is authoritative, whatever the operator trusts besides. */
  ownDomains(claims: Claims): readonly string[];
  /** When it counts, for operators. */
  emailRule: string;
  usesPkce: boolean;
  usesNonce: boolean;
  /** How the answer to the authorization request comes back. */
  responseMode: 'query' | 'form_post';
  authMethod: 'client_secret_post' | 'client_secret_basic' | 'apple';
  inspection: Inspection | null;
  /** Where it leaves the standard. */
  quirks: string;
};

// OpenID Connect Core §5.1: a boolean. A provider that writes "true" as text has not said it.
const isTrue = (claims: Claims) => claims['email_verified'] === true;
const STANDARD = {
  kind: 'oidc',
  endpoints: null,
  scopes: ['openid', 'email', 'profile'],
  isEmailVerified: isTrue,
  ownDomains: () => [],
  usesPkce: true,
  usesNonce: true,
  responseMode: 'query',
  authMethod: 'client_secret_post',
  inspection: null,
  quirks: '',
} as const satisfies Partial<Provider>;

const BY_OPERATOR = '`email_verified` is `true`, for the domains in `trusted_email_domains`';

export const PROVIDERS = {
  google: {
    ...STANDARD,
    name: 'Google',
    issuer: 'https://accounts.google.com',
    // Google may speak for Gmail, and for an organisation's domain when the account is one of it (`hd`). An address elsewhere
    // was confirmed once, and may have another owner by now.
    ownDomains: ({ hd }) => ['gmail.com', 'googlemail.com', ...(typeof hd === 'string' ? [hd] : [])],
    emailRule: '`email_verified` is `true`, for Gmail, the Workspace domain (`hd`) and `trusted_email_domains`',
    inspection: { how: 'google', url: 'https://oauth2.googleapis.com/tokeninfo' },
  },
  facebook: {
    ...STANDARD,
    kind: 'oauth2',
    name: 'Facebook',
    issuer: 'https://www.facebook.com',
    endpoints: {
      authorization: 'https://www.facebook.com/v23.0/dialog/oauth',
      token: 'https://graph.facebook.com/v23.0/oauth/access_token',
      userinfo: 'https://graph.facebook.com/v23.0/me',
    },
    scopes: ['email', 'public_profile'],
    // The Graph API gives an address without a word on whether it was confirmed.
    isEmailVerified: () => false,
    emailRule: 'never: Facebook does not say whether an address was confirmed',
    usesNonce: false,
    inspection: { how: 'facebook', url: 'https://graph.facebook.com/v23.0/debug_token' },
    quirks: 'OAuth 2.0; calls carry `appsecret_proof`',
  },
  apple: {
    ...STANDARD,
    name: 'Apple',
    issuer: 'https://appleid.apple.com',
    // Written down: for some days in 2025 the document of discovery named another issuer than the tokens.
    endpoints: {
      authorization: 'https://appleid.apple.com/auth/authorize',
      token: 'https://appleid.apple.com/auth/token',
      jwks: 'https://appleid.apple.com/auth/keys',
    },
    scopes: ['openid', 'email', 'name'],
    // Apple documents this claim as "a string or Boolean", and gives only addresses that it has confirmed.
    isEmailVerified: (claims) => claims['email_verified'] === true || claims['email_verified'] === 'true',
    ownDomains: () => ['privaterelay.appleid.com', 'icloud.com', 'me.com', 'mac.com'],
    emailRule: '`email_verified` is `true`, for addresses of Apple and `trusted_email_domains`',
    responseMode: 'form_post',
    authMethod: 'apple',
    quirks:
      'the client secret is a JWT made for each call; the answer is posted; the name comes with the first sign-in only; `email_verified` may be text',
  },
  linkedin: {
    ...STANDARD,
    name: 'LinkedIn',
    issuer: 'https://www.linkedin.com/oauth',
    endpoints: {
      authorization: 'https://www.linkedin.com/oauth/v2/authorization',
      token: 'https://www.linkedin.com/oauth/v2/accessToken',
      userinfo: 'https://api.linkedin.com/v2/userinfo',
      jwks: 'https://www.linkedin.com/oauth/openid/jwks',
    },
    emailRule: BY_OPERATOR,
    usesPkce: false,
    usesNonce: false,
    inspection: { how: 'linkedin', url: 'https://www.linkedin.com/oauth/v2/introspectToken' },
    quirks: 'refuses PKCE and leaves the nonce out of its ID tokens; state, bound to the browser, stands alone',
  },
  github: {
    ...STANDARD,
    kind: 'oauth2',
    name: 'GitHub',
    issuer: 'https://github.com',
    endpoints: {
      authorization: 'https://github.com/login/oauth/authorize',
      token: 'https://github.com/login/oauth/access_token',
      userinfo: 'https://api.github.com/user',
      emails: 'https://api.github.com/user/emails',
    },
    scopes: ['read:user', 'user:email'],
    emailRule: 'the primary address is verified, for the domains in `trusted_email_domains`',
    usesNonce: false,
    inspection: { how: 'github', url: 'https://api.github.com/applications/{client_id}/token' },
    quirks: 'OAuth 2.0; the address is read from the list of addresses',
  },
  microsoft: {
    ...STANDARD,
    name: 'Microsoft',
    issuer: 'https://login.microsoftonline.com/{tenant}/v2.0',
    // A tenant's administrator may write any address into an account (nOAuth). With one named tenant that is the operator's
    // own house: what it says counts for the domains that the operator trusts it with.
    isEmailVerified: ({ isNamedTenant }) => isNamedTenant === true,
    emailRule: 'never for `common`, `organizations` and `consumers`; with one tenant named, `trusted_email_domains`',
    quirks: 'the issuer in an ID token names the tenant of the person',
  },
  oidc: {
    ...STANDARD,
    name: 'OpenID provider',
    issuer: null,
    emailRule: BY_OPERATOR,
    authMethod: 'client_secret_basic',
  },
  oauth2: {
    ...STANDARD,
    kind: 'oauth2',
    name: 'OAuth 2.0 provider',
    issuer: null,
    scopes: [],
    emailRule: 'the claim named by `claims.email_verified` is `true`, for the domains in `trusted_email_domains`',
    usesNonce: false,
    authMethod: 'client_secret_basic',
  },
} as const satisfies Record<string, Provider>;

export type ProviderKey = keyof typeof PROVIDERS;

export const isProviderKey = (key: string): key is ProviderKey => Object.hasOwn(PROVIDERS, key);

/** Providers of which a realm may have several, each under an id of its own. */
export const GENERIC: readonly ProviderKey[] = ['oidc', 'oauth2'];

/** Path on the auth domain at which a provider's answers arrive; each has its own (RFC 9700 §4.4.2.2). */
export function callbackPath(upstream: { id: string; provider: string }): string {
  return `/api/auth/v1/${GENERIC.some((key) => key === upstream.provider) ? `${upstream.provider}/` : ''}${upstream.id}/callback`;
}
