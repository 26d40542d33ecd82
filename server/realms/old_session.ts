// The setting `old_session`: which cookies of the system that a realm came from still sign a reader in, and who vouches for
// them (docs/old-sessions.md).

import { z } from 'zod';
import { variablesOf } from '../lib/template.ts';

const httpsUrl = z
  .string({ error: 'write an https URL' })
  .max(2048)
  .refine(
    (text) => URL.canParse(text) && /^https?:\/\/[^/@]+(\/|$|\?)/.test(text),
    'write an https URL without a user name',
  );
const template = z
  .string()
  .max(500)
  .refine((text) => variablesOf(text).length > 0, 'write a text such as #{user.id}');

const responseSchema = z.strictObject({
  uid: template,
  email: template.optional(),
  name: template.optional(),
  first_name: template.optional(),
  last_name: template.optional(),
});

/** The algorithm is the operator's choice, never the token's (RFC 8725 §3.1). */
const jwtSchema = z
  .strictObject({
    algorithm: z.enum(['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA']),
    jwks_url: httpsUrl.optional(),
    public_key: z.string().max(4096).startsWith('-----BEGIN PUBLIC KEY-----', 'write the key as PEM').optional(),
    issuer: z.string().min(1).max(500).optional(),
    audience: z.string().min(1).max(500).optional(),
  })
  .refine(
    ({ algorithm, jwks_url, public_key }) =>
      [jwks_url, public_key].filter((one) => one !== undefined).length === (algorithm === 'HS256' ? 0 : 1),
    'write jwks_url or public_key; for HS256 neither: its secret is CAUSEWAY_OLD_SESSION_SECRET',
  );

export const oldSessionSchema = z
  .strictObject({
    cookies: z
      .array(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'write the name of a cookie'))
      .min(1)
      .max(4),
    url: httpsUrl.optional(),
    jwt: jwtSchema.optional(),
    response: responseSchema.optional(),
    email_is_verified: z.boolean({ error: 'write true or false' }).default(false),
    until: z.iso.date('write a day such as 2027-03-31'),
  })
  .refine(({ url, jwt }) => (url === undefined) !== (jwt === undefined), 'write url or jwt, one of them')
  .refine(({ jwt, cookies }) => jwt === undefined || cookies.length === 1, 'a jwt is in one cookie');

export type OldSession = z.infer<typeof oldSessionSchema>;
