// Settings of a realm: what an operator may write under `settings` and `brand` in a realm file, with every default.
// Durations are seconds inside, `30d` outside; limits are `tries/duration`. docs/realm-settings.md is generated from here.

import { z } from 'zod';
import { parseDuration, parseLimit } from '../lib/duration.ts';
import { variablesOf } from '../lib/template.ts';
import { oldSessionSchema } from './old_session.ts';

const duration = (fallback: string, says: string) =>
  z
    .string({ error: 'write a duration such as 30m, 12h or 30d' })
    .refine((text) => (parseDuration(text) ?? 0) > 0, 'write a duration such as 30m, 12h or 30d')
    .default(fallback)
    .describe(says);

const limit = (fallback: string, says: string) =>
  z
    .string({ error: 'write a limit such as 10/15m' })
    .refine((text) => parseLimit(text) !== null, 'write a limit such as 10/15m')
    .default(fallback)
    .describe(says);

/** What a template of the credential check may name; `login` is what was typed, `email` too if it is an address. */
const CREDENTIALS: readonly string[] = ['login', 'password', 'email'];
/** Fields of a person that a response map may name (QuickBlox's words, and some more). */
const PERSON = ['uid', 'login', 'email', 'full_name', 'first_name', 'last_name', 'phone'] as const;

const sent = z
  .record(
    z.string().regex(/^[A-Za-z0-9_.-]{1,100}$/, 'write names of letters, digits, _ . and -'),
    z
      .string({ error: 'write a text such as #{login}' })
      .max(200)
      .refine(
        (text) => variablesOf(text).length > 0 && variablesOf(text).every((name) => CREDENTIALS.includes(name)),
        'write #{login}, #{password} or #{email}',
      ),
  )
  .default({});

const credentialCheckSchema = z
  .strictObject({
    url: z
      .string({ error: 'write an https URL' })
      .max(2048)
      .refine(
        (text) => URL.canParse(text) && /^https?:\/\/[^/@]+(\/|$|\?)/.test(text),
        'write an https URL without a user name',
      ),
    method: z.enum(['GET', 'POST']).default('POST'),
    headers: sent,
    params: sent,
    response: z
      .partialRecord(
        z.enum(PERSON),
        z
          .string()
          .max(500)
          .refine((text) => variablesOf(text).length > 0, 'write a text such as #{user.id}'),
      )
      .refine((map) => map.uid !== undefined, 'write at least uid, such as { uid: "#{user.id}" }')
      .default({ uid: '#{user.id}', login: '#{user.login}', full_name: '#{user.full_name}', email: '#{user.email}' }),
    email_is_verified: z.boolean({ error: 'write true or false' }).default(false),
  })
  .refine(
    ({ headers, params }) =>
      Object.values({ ...headers, ...params }).some((text) => variablesOf(text).includes('password')),
    'send #{password} in headers or params',
  );

export type CredentialCheck = z.infer<typeof credentialCheckSchema>;

export const settingsSchema = z
  .strictObject({
    session_idle: duration('30d', 'A session ends after this long without a visit.'),
    session_absolute: duration('365d', 'A session ends this long after the sign-in, visits or not.'),
    sessions_max: z
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe('Most sessions that one account has at once, browsers and apps together; 0 for no limit.'),
    sessions_over: z
      .enum(['oldest-out', 'ask'])
      .default('oldest-out')
      .describe(
        'What a sign-in beyond sessions_max does: the oldest session ends; or the hosted pages ask whether to sign out the others, and the session-sharing API begins the session and tells `active-sessions-count` and `sessions-max`, so that the site can ask.',
      ),
    signup: z.enum(['open', 'closed']).default('open').describe('Whether readers may make accounts.'),
    reauth_window: duration('10m', 'How recent a sign-in must be for deleting the account or ending other sessions.'),
    auto_sso_quiet: duration('10m', 'After a silent attempt, the same browser is not bounced again for this long.'),
    locale: z
      .string()
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'write a language tag such as en or de')
      .default('en')
      .describe(
        'Language of pages and messages when neither the site, the reader nor the browser asks for one that is offered.',
      ),
    locales: z
      .array(z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'write language tags such as [en, de]'), {
        error: 'write a list: [en, de]',
      })
      .default([])
      .describe(
        'Languages that the realm offers, in the order in which its pages list them. Empty: all that there are.',
      ),
    password_min_length: z.int().min(8).max(64).default(8).describe('Fewest characters of a new password.'),
    sign_in_per_account: limit('20/15m', 'Wrong passwords for one account from browsers that never signed in to it.'),
    sign_in_per_device: limit(
      '10/15m',
      'Wrong passwords for one account from a browser that signed in to it before; counted apart, so that a stranger cannot lock its owner out.',
    ),
    sign_in_per_address: limit('100/15m', 'Wrong passwords from one address.'),
    sign_in_per_realm: limit('3000/1m', 'Wrong passwords in the whole realm.'),
    second_factor: z
      .enum(['off', 'optional', 'required'])
      .default('optional')
      .describe(
        'Whether readers may (optional) or must (required) set up a second factor; off: nobody can, but who has one is still asked for it.',
      ),
    second_factor_per_account: limit(
      '10/1h',
      'Wrong codes of a second factor for one account; each sign-in has five tries of its own besides.',
    ),
    credential_check: credentialCheckSchema
      .nullable()
      .default(null)
      .describe(
        'Endpoint of an older user base that is asked about people whom the realm does not know yet (products/quickblox.md).',
      ),
    old_session: oldSessionSchema
      .nullable()
      .default(null)
      .describe('Cookies of the system that the realm came from, which sign their readers in once (old-sessions.md).'),
    dynamic_registration: z
      .enum(['on', 'off'])
      .default('off')
      .describe('Whether programs that hold an initial access token may register clients (RFC 7591).'),
    session_tokens: z
      .enum(['on', 'off'])
      .default('off')
      .describe(
        'Whether an app that holds a session may ask for one-time session tokens, which open a web view signed in (session-tokens.md).',
      ),
    login_failure_url: z
      .string({ error: 'write an https URL' })
      .max(2048)
      .refine(
        (text) => URL.canParse(text) && /^https?:\/\/[^/@]+(\/|$|\?)/.test(text),
        'write an https URL without a user name',
      )
      .nullable()
      .default(null)
      .describe(
        'Page of yours to which a reader goes when a sign-in with another provider did not work; it gets error, reason and auth-provider as parameters. Absent: our page.',
      ),
    sign_up_per_address: limit('30/1h', 'Accounts made from one address.'),
    messages_per_recipient: limit('3/15m', 'E-mails and text messages that strangers can have sent to one recipient.'),
    messages_per_address: limit('20/1h', 'E-mails and text messages that one address can have sent.'),
    codes_per_recipient: limit('10/1h', 'Codes and links for one recipient that one address may ask for.'),
    code_tries_per_address: limit(
      '100/15m',
      'Wrong one-time codes from one address; each code takes five tries at most.',
    ),
    sign_in_methods: z
      .array(z.enum(['password', 'code', 'link']))
      .min(1, 'name at least one of password, code, link')
      .default(['password', 'code'])
      .describe(
        'How readers may prove who they are: password, a code by e-mail or text message, a link by e-mail. The first is offered first.',
      ),
    verification: z
      .enum(['none', 'before-session'])
      .default('none')
      .describe('Whether an account must have a verified e-mail address or phone before it gets a session.'),
    duplicate_signup: z
      .enum(['tell', 'neutral'])
      .default('tell')
      .describe(
        'What a sign-up with a known address is told: tell answers 409 as published clients expect, neutral answers everybody alike, begins no session, and writes to the owner.',
      ),
    default_country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'write a country such as DE or IN')
      .nullable()
      .default(null)
      .describe('Country of phone numbers that are typed without a country calling code.'),
    reset_password_url: z
      .string()
      .max(2048)
      .refine(
        (text) => URL.canParse(text) && /^https?:\/\/[^/@]+(\/|$|\?)/.test(text),
        'write an https URL without a user name',
      )
      .nullable()
      .default(null)
      .describe(
        'Page of the publisher for a new password; opened with the parameter token. The hosted page if absent.',
      ),
  })
  .describe('Settings of a realm.');

export type RealmSettings = z.infer<typeof settingsSchema>;

/** Seconds of a duration that the schema has accepted. */
export function settingSeconds(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === null) throw new Error(`not a duration: ${text}`);
  return seconds;
}

const colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, 'write a colour as #rrggbb');

export const brandSchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(80)
    .optional()
    .describe('Shown at the top of every page; the slug of the realm if absent.'),
  accent: colour.default('#1f4e79').describe('Colour of buttons and links.'),
  accent_dark: colour.optional().describe('The same on a dark background; computed if absent.'),
  logo: z
    .string()
    .max(64 * 1024)
    .regex(
      /^data:image\/(png|webp|svg\+xml);base64,[A-Za-z0-9+/=]+$/,
      'write the logo as a data: URI (png, webp or svg, base64)',
    )
    .optional()
    .describe('Logo as a data: URI, so that no page asks another server for it.'),
});

/** The same for one client; what it leaves out is the realm's. */
export const clientBrandSchema = brandSchema.extend({ accent: colour }).partial();

export type PartialBrand = z.infer<typeof clientBrandSchema>;
export type RealmBrand = z.infer<typeof brandSchema>;
