// What an operator may write of a provider under `upstream` in a realm file, one shape for each row of the table.

import { z } from 'zod';
import { GENERIC, isProviderKey, PROVIDERS, type ProviderKey } from './providers.ts';

const text = (hint: string, most = 500) =>
  z.string({ error: hint }).trim().min(1, hint).max(most, `write ${most} characters or fewer`);
const list = (entry: z.ZodString, hint: string) => z.array(entry, { error: hint });
const DOMAIN = /^(\*|[a-z0-9-]+(\.[a-z0-9-]+)+)$/;
const CLAIM = /^[A-Za-z0-9_-]{1,100}(\.[A-Za-z0-9_-]{1,100}){0,4}$/;

/** A check of an address, as the realm file makes it: null when it may be called. */
export type FindEndpointFault = (text: string, example: string) => string | null;

/** The schemas of one installation. @param options isTrial: whether addresses of known providers may be replaced */
export function createUpstreamSchemas(options: { findEndpointFault: FindEndpointFault; isTrial: boolean }) {
  const address = (example: string) =>
    z.string({ error: `write an https URL such as ${example}` }).superRefine((written, context) => {
      const message = options.findEndpointFault(written, example);
      if (message) context.addIssue({ code: 'custom', message });
    });
  const claim = z
    .string({ error: 'write the name of a field such as email, with dots for what lies inside' })
    .regex(CLAIM, 'write the name of a field such as email, with dots for what lies inside');
  const endpoints = z.strictObject({
    authorization: address('https://id.example/authorize'),
    token: address('https://id.example/token'),
    userinfo: address('https://id.example/userinfo').optional(),
    jwks: address('https://id.example/jwks').optional(),
    emails: address('https://id.example/emails').optional(),
  });
  const base = {
    name: text('write the name that readers see', 60).optional(),
    client_id: text('write the client id that the provider gave you'),
    scopes: list(text('write a scope such as email', 100), 'write a list: [openid, email]').optional(),
    trusted_email_domains: list(
      z.string().regex(DOMAIN, 'write a domain in small letters such as daily.example, or "*" for all'),
      'write a list: [daily.example]',
    ).optional(),
    audiences: list(text('write the client id of an app', 300), 'write a list of client ids').optional(),
  };
  const client_secret = text(
    `write the client secret, such as \${GOOGLE_SECRET} from the environment`,
    2000,
  ).optional();
  const authentication = z.enum(['client_secret_basic', 'client_secret_post']).optional();
  const id = z
    .string({ error: 'write a short name such as corp' })
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'write 1 to 32 small letters, digits and hyphens, such as corp')
    .refine(
      (written) => !isProviderKey(written) && written !== 'google-one-tap',
      'is the name of a known provider; write another',
    );
  const replaced = options.isTrial
    ? {
        issuer: address('https://id.example').optional(),
        endpoints: endpoints.optional(),
        inspection: address('https://id.example/inspect').optional(),
      }
    : {};
  const known = (key: ProviderKey) => z.strictObject({ provider: z.literal(key), ...base, client_secret, ...replaced });
  return {
    google: known('google'),
    facebook: known('facebook'),
    linkedin: known('linkedin'),
    github: known('github'),
    microsoft: z.strictObject({
      ...known('microsoft').shape,
      tenant: z
        .string()
        .regex(/^[A-Za-z0-9.-]{1,100}$/, 'write a tenant id or domain, common, organizations or consumers')
        .optional(),
    }),
    apple: z.strictObject({
      provider: z.literal('apple'),
      ...base,
      team_id: text('write the team id of ten letters and digits', 20),
      key_id: text('write the id of the key', 20),
      private_key: text(`write the text of the .p8 file, such as \${APPLE_KEY} from the environment`, 4000).optional(),
      ...replaced,
    }),
    oidc: z.strictObject({
      provider: z.literal('oidc'),
      id,
      ...base,
      issuer: address('https://id.corp.example'),
      client_secret,
      token_endpoint_auth_method: authentication,
    }),
    oauth2: z.strictObject({
      provider: z.literal('oauth2'),
      id,
      ...base,
      client_secret,
      token_endpoint_auth_method: authentication,
      endpoints: endpoints.required({ userinfo: true }),
      claims: z
        .strictObject({
          sub: claim,
          email: claim.optional(),
          email_verified: claim.optional(),
          name: claim.optional(),
          given_name: claim.optional(),
          family_name: claim.optional(),
          picture: claim.optional(),
        })
        .optional(),
    }),
  } as const satisfies Record<ProviderKey, z.ZodObject>;
}

/** What of an entry is a secret. */
export const SECRET_KEYS: readonly string[] = ['client_secret', 'private_key'];

/** The settings of a stored entry; they were checked when they were stored. */
export type UpstreamSettings = {
  client_id: string;
  issuer?: string;
  endpoints?: {
    authorization: string;
    token: string;
    userinfo?: string;
    jwks?: string;
    emails?: string;
  };
  inspection?: string;
  scopes?: string[];
  trusted_email_domains?: string[];
  audiences?: string[];
  tenant?: string;
  team_id?: string;
  key_id?: string;
  token_endpoint_auth_method?: 'client_secret_basic' | 'client_secret_post';
  claims?: Record<string, string>;
};

/** The id of an entry: its own, or for a known provider the name of that. */
export function upstreamIdOf(entry: Record<string, unknown>): string {
  return String(GENERIC.some((key) => key === entry['provider']) ? entry['id'] : entry['provider']);
}

/** The name that readers see. */
export function upstreamNameOf(entry: Record<string, unknown>): string {
  const { name, provider } = entry;
  if (typeof name === 'string') return name.trim();
  return typeof provider === 'string' && isProviderKey(provider) && !GENERIC.includes(provider)
    ? PROVIDERS[provider].name
    : upstreamIdOf(entry);
}
