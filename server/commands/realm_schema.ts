// What may stand in a realm file (contract: what an operator types), key by key, as zod schemas whose messages say what to
// write instead. What needs more than one key, or the database, is in realm_checks.ts.

import { z } from 'zod';
import {
  findEndpointFault,
  findRedirectUriFault,
  findUrlFault,
  GRANT_TYPES,
  LOOPBACK_REFUSED,
  PUSHBACK_FIELDS,
  SIGNING_ALGS,
} from '../clients/clients.ts';
import { applyMapping, findMappingFault } from '../lib/mapping.ts';
import { isLoopbackHost, parseOrigin } from '../lib/url.ts';
import { SAMPLE_INPUT } from '../oidc/oidc.ts';
import { brandSchema, clientBrandSchema, settingsSchema } from '../realms/realms.ts';
import { createUpstreamSchemas } from '../upstream/upstream.ts';

/** 32 characters: a secret that nobody guesses, as for CAUSEWAY_SECRET. */
const SHORTEST_SECRET = 32;
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const HASH_HINT = 'write the SHA-256 of the secret in 64 small hexadecimal digits, or secret: with the secret itself';
const CLIENT_ID = /^[\x21-\x7e]{1,255}$/;

export const TOKEN_ENDPOINT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const;

export type RealmSchemas = ReturnType<typeof createRealmSchemas>;

/** The schemas; loopback names and http on them pass only if `allowLoopback`. */
export function createRealmSchemas(options: { allowLoopback: boolean }) {
  const checked = (hint: string, find: (text: string, allowLoopback: boolean) => string | null) =>
    z.string({ error: hint }).superRefine((text, context) => {
      const message = find(text, options.allowLoopback);
      if (message) context.addIssue({ code: 'custom', message });
    });
  const text = (hint: string, most = 200) =>
    z.string({ error: hint }).trim().min(1, hint).max(most, `write ${most} characters or fewer`);
  const secret = (command: string) =>
    z
      .string({
        error: `write ${SHORTEST_SECRET} characters or more, in quotes if they are all digits, as made by: ${command}`,
      })
      .min(SHORTEST_SECRET, `too short: write ${SHORTEST_SECRET} characters or more, as made by: ${command}`)
      .max(512, 'write 512 characters or fewer');
  const newSecret = secret('openssl rand -base64 36');

  const client = {
    id: z
      .string({ error: 'write the client_id as text; a number in quotes' })
      .regex(CLIENT_ID, 'write 1 to 255 signs of ASCII without spaces'),
    name: text('write the name that readers see').optional(),
    brand: clientBrandSchema.optional(),
    integration_secret: newSecret.optional(),
    disabled: z.boolean({ error: 'write true or false' }).optional(),
  };
  const endpoint = (example: string) =>
    checked(`write an https URL such as ${example}`, (written, allowLoopback) =>
      findEndpointFault(written, allowLoopback, example),
    );
  const logout = {
    backchannel_logout_uri: endpoint('https://product.example/logout').optional(),
    backchannel_logout_session_required: z.boolean({ error: 'write true or false' }).optional(),
  };
  const firstParty = z.strictObject({
    ...client,
    ...logout,
    kind: z.literal('first-party'),
    domain: checked('write the host of the site, such as news.daily.example', findSiteFault),
    proxy_secret: newSecret.optional(),
    backend_redirect_uris: z
      .array(checked('write an absolute https URL', findRedirectUriFault), {
        error: 'write a list of URLs: [https://…]',
      })
      .optional(),
  });
  const mapping = checked('write a JMESPath expression in quotes', findUserMappingFault);
  const bodyMapping = checked('write a JMESPath expression in quotes', findMappingFault);
  const carrier = z
    .string({ error: 'write the name of a header or parameter' })
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,99}$/, 'write letters, digits, _ and -, such as IdP_token');
  const thirdParty = z.strictObject({
    ...client,
    ...logout,
    kind: z.literal('third-party'),
    secret: newSecret.optional(),
    redirect_uris: z.array(checked('write an absolute https URL', findRedirectUriFault), {
      error: 'write a list of URLs: [https://…]',
    }),
    token_endpoint_auth_method: z.enum(TOKEN_ENDPOINT_AUTH_METHODS).optional(),
    require_pkce: z.boolean({ error: 'write true or false' }).optional(),
    scopes: z
      .array(
        z
          .string({ error: 'write a scope such as openid' })
          .regex(SCOPE_TOKEN, 'write one scope per entry, without spaces'),
        {
          error: 'write a list: [openid, email]',
        },
      )
      .optional(),
    access_token: z
      .strictObject(
        {
          format: z.enum(['opaque', 'jwt']).optional(),
          claims: z
            .array(text('write the name of a claim such as email'), { error: 'write a list: [email]' })
            .optional(),
        },
        { error: unlessUnknownKeys('write { format: opaque } or { format: jwt, claims: [email] }') },
      )
      .optional(),
    grant_types: z
      .array(z.enum(GRANT_TYPES), { error: 'write a list: [authorization_code, refresh_token]' })
      .min(1, 'write at least one')
      .optional(),
    id_token_signed_response_alg: z.enum(SIGNING_ALGS).optional(),
    post_logout_redirect_uris: z
      .array(checked('write an absolute https URL', findRedirectUriFault), {
        error: 'write a list of URLs: [https://…]',
      })
      .optional(),
    jwks: z
      .strictObject(
        {
          keys: z
            .array(
              z
                .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) }, { error: 'write a public key as a JWK' })
                .superRefine(refusePrivateKey),
            )
            .min(1, 'write at least one key'),
        },
        { error: unlessUnknownKeys('write a JWK set: { keys: [ … ] }') },
      )
      .optional(),
    jwks_uri: endpoint('https://product.example/jwks').optional(),
    dpop_bound_access_tokens: z.boolean({ error: 'write true or false' }).optional(),
    require_pushed_authorization_requests: z.boolean({ error: 'write true or false' }).optional(),
    userinfo_mapping: mapping.optional(),
    consent: z.enum(['ask', 'implied']).optional(),
    verification: z
      .strictObject(
        {
          user: carrier.optional(),
          credential: carrier.optional(),
          accept: z
            .array(z.enum(['access_token', 'password']), { error: 'write a list: [access_token, password]' })
            .min(1, 'write access_token, password or both')
            .optional(),
          tokens_of: z.enum(['client', 'realm']).optional(),
          response: mapping.optional(),
        },
        { error: unlessUnknownKeys('write { user: IdP_user_ID, credential: IdP_token }') },
      )
      .optional(),
    pushback: z
      .strictObject(
        {
          secret: newSecret.optional(),
          secret_sha256: z
            .string({ error: HASH_HINT })
            .regex(/^[0-9a-f]{64}$/, HASH_HINT)
            .optional(),
          match_by: z.enum(['sub', 'verified_email']).optional(),
          match: bodyMapping,
          event_id: bodyMapping.optional(),
          mapping: bodyMapping,
          fields: z
            .array(z.enum(PUSHBACK_FIELDS), { error: `write a list of ${PUSHBACK_FIELDS.join(', ')}` })
            .min(1, 'write at least one field'),
        },
        { error: unlessUnknownKeys('write { secret, match, mapping, fields }') },
      )
      .optional(),
  });
  const realm = z.strictObject(
    {
      slug: z
        .string({ error: 'write a short name such as daily' })
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'write 1 to 63 small letters, digits and hyphens, such as daily'),
      auth_domain: checked('write the host of the sign-in page, such as auth.daily.example', findSiteFault),
      authentication_url: checked(
        'write the address of your sign-in page, such as https://www.daily.example/sign-in',
        findPageFault,
      )
        .nullable()
        .optional(),
      settings: settingsSchema
        .superRefine(({ credential_check: check, login_failure_url: page }, context) => {
          const pageFault = page && findUrlFault(page, options.allowLoopback);
          if (pageFault) context.addIssue({ code: 'custom', path: ['login_failure_url'], message: pageFault });
          const fault =
            check && findEndpointFault(check.url, options.allowLoopback, 'https://old.daily.example/identity');
          if (fault) context.addIssue({ code: 'custom', path: ['credential_check', 'url'], message: fault });
        })
        .optional(),
      brand: brandSchema.optional(),
      upstream: z.array(z.unknown(), { error: 'write a list of providers' }).optional(),
      clients: z.array(z.unknown(), { error: 'write a list of clients' }).optional(),
    },
    { error: unlessUnknownKeys('write a realm: slug, auth_domain, clients') },
  );
  const file = z.strictObject(
    { realms: z.array(z.unknown(), { error: 'write a list of realms' }) },
    { error: unlessUnknownKeys('write the file as a map that begins with "realms:"') },
  );
  const upstream = createUpstreamSchemas({
    findEndpointFault: (written, example) => findEndpointFault(written, options.allowLoopback, example),
    isTrial: options.allowLoopback,
  });
  return { file, realm, client: { 'first-party': firstParty, 'third-party': thirdParty }, upstream };
}

/** Words for what zod finds where the schema has none of its own. */
export function describeIssue(issue: {
  code?: string;
  expected?: unknown;
  values?: readonly unknown[];
  minimum?: unknown;
  maximum?: unknown;
}): string {
  switch (issue.code) {
    case 'invalid_value':
      return `write ${(issue.values ?? []).join(' or ')}`;
    case 'too_small':
      return `too small: the least is ${issue.minimum}`;
    case 'too_big':
      return `too big: the most is ${issue.maximum}`;
    case 'invalid_type':
      return issue.expected === 'object'
        ? 'write a map: key: value'
        : `write ${issue.expected === 'int' || issue.expected === 'number' ? 'a whole number' : `a ${issue.expected}`}`;
    default:
      return 'write something else';
  }
}

// The message of an object is also asked for when only some of its keys are unknown; those have faults of their own.
function unlessUnknownKeys(hint: string) {
  return (issue: { code?: string }) => (issue.code === 'invalid_type' ? hint : undefined);
}

function findSiteFault(text: string, allowLoopback: boolean): string | null {
  if (text.includes('*'))
    return 'a wildcard cannot be registered: write one whole host, and a client for each further one';
  const site = parseOrigin(text);
  if (!site)
    return 'write a host such as news.daily.example: small letters, no path, no slash at the end, a port only if it is unusual';
  const isLoopback = isLoopbackHost(site.host);
  if (isLoopback && !allowLoopback) return `${LOOPBACK_REFUSED} or write a public host`;
  return !isLoopback && site.origin.startsWith('http:')
    ? `write https://${site.host}: http is for loopback names alone`
    : null;
}

function findPageFault(text: string, allowLoopback: boolean): string | null {
  const fault = findUrlFault(text, allowLoopback);
  return fault && `${fault}, such as https://www.daily.example/sign-in`;
}

/** A faulty expression with its position; one that makes no object, or fails on an account with every field. */
function findUserMappingFault(expression: string): string | null {
  const fault = findMappingFault(expression);
  if (fault) return fault;
  const tried = applyMapping(expression, SAMPLE_INPUT);
  if (!tried.ok) return `fails on a sample account: ${tried.fault}`;
  return typeof tried.value === 'object' && tried.value !== null && !Array.isArray(tried.value)
    ? null
    : 'makes no object: write one such as {email: user.email}';
}

/** A private key in a realm file is a leak; what is registered is public (RFC 7517 §4, RFC 7518 §6). */
function refusePrivateKey(key: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  if ('d' in key)
    context.addIssue({ code: 'custom', message: 'this is a private key: write its public part, without d' });
}

/** The known word that a mistyped one is nearest to; null when none is near. */
export function findNearest(word: string, known: readonly string[]): string | null {
  const plain = word.toLowerCase().replaceAll('-', '_');
  const ranked = known
    .map((other) => ({ other, distance: editDistance(plain, other) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(1, Math.floor(best.other.length / 3)) ? best.other : null;
}

/** Levenshtein distance: single letters put in, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
