// The session of a former system, adopted once: its cookie is vouched for by that system's endpoint or by the signature of a
// JWT, and becomes a session here. Whatever goes wrong, the reader is simply not signed in.

import { type CryptoKey, createRemoteJWKSet, customFetch, importSPKI, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { parseEmail, type VouchedPerson } from '../accounts/accounts.ts';
import { isCleanText } from '../http/text.ts';
import { readTemplate } from '../lib/template.ts';
import { hashToken } from '../lib/token.ts';
import type { OldSession } from '../realms/realms.ts';

const PATIENCE_MS = 3000;
const LONGEST_COOKIE = 8192;
const LONGEST_FIELD = 200;

/** Values of the cookies that the setting names, in its order. */
export type OldCookies = readonly { name: string; value: string }[];
export type OldPerson = VouchedPerson & { uid: string };
/** `hash`: what may be adopted once. */
export type Vouched = { ok: true; person: OldPerson; hash: Buffer } | { ok: false; why: string };

const ENDPOINT_RESPONSE = { uid: '#{user.id}', email: '#{user.email}', name: '#{user.full_name}' };
const JWT_RESPONSE = {
  uid: '#{sub}',
  email: '#{email}',
  name: '#{name}',
  first_name: '#{given_name}',
  last_name: '#{family_name}',
};

export type OldSessions = ReturnType<typeof createOldSessions>;

/** @param options fetch: guarded against server-side request forgery; secret: of HS256 */
export function createOldSessions(options: { fetch: typeof globalThis.fetch; secret: string | null }) {
  const remoteKeys = new Map<string, JWTVerifyGetKey>();

  /** Who the cookies belong to. Never throws. */
  async function vouch(setting: OldSession, cookies: OldCookies): Promise<Vouched> {
    if (cookies.reduce((sum, { value }) => sum + value.length, 0) > LONGEST_COOKIE)
      return { ok: false, why: 'the cookie is too long' };
    try {
      return setting.jwt
        ? await vouchedByKey(setting, setting.jwt, cookies)
        : await vouchedByEndpoint(setting, cookies);
    } catch (error) {
      return { ok: false, why: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'unknown' };
    }
  }

  async function vouchedByEndpoint(setting: OldSession, cookies: OldCookies): Promise<Vouched> {
    const response = await options.fetch(setting.url ?? '', {
      headers: { Accept: 'application/json', Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status !== 200) return { ok: false, why: `status ${response.status}` };
    return toVouched(setting, {
      answer: await response.json(),
      templates: ENDPOINT_RESPONSE,
      once: onceOf(cookies),
      isVerified: false,
    });
  }

  async function vouchedByKey(
    setting: OldSession,
    jwt: NonNullable<OldSession['jwt']>,
    cookies: OldCookies,
  ): Promise<Vouched> {
    const token = cookies[0]?.value ?? '';
    const { payload } = await jwtVerify(token, await keyOf(jwt), {
      // RFC 8725 §3.1: the algorithm is ours to name, never the token's.
      algorithms: [jwt.algorithm],
      requiredClaims: ['exp'],
      ...(jwt.issuer !== undefined && { issuer: jwt.issuer }),
      ...(jwt.audience !== undefined && { audience: jwt.audience }),
    });
    // The signature has other spellings of the same bytes; what it signs has one.
    const once = token.slice(0, token.lastIndexOf('.'));
    return toVouched(setting, {
      answer: payload,
      templates: JWT_RESPONSE,
      once,
      isVerified: payload['email_verified'] === true,
    });
  }

  async function keyOf(jwt: NonNullable<OldSession['jwt']>): Promise<JWTVerifyGetKey> {
    if (jwt.jwks_url !== undefined) {
      const known =
        remoteKeys.get(jwt.jwks_url) ??
        createRemoteJWKSet(new URL(jwt.jwks_url), { timeoutDuration: PATIENCE_MS, [customFetch]: options.fetch });
      remoteKeys.set(jwt.jwks_url, known);
      return known;
    }
    const key: Uint8Array | CryptoKey | null = jwt.public_key
      ? await importSPKI(jwt.public_key, jwt.algorithm)
      : options.secret === null
        ? null
        : new TextEncoder().encode(options.secret);
    if (key === null) throw new Error('CAUSEWAY_OLD_SESSION_SECRET is not set');
    return async () => key;
  }

  return { vouch };
}

/** One spelling for values that the former system reads alike. */
function onceOf(cookies: OldCookies): string {
  return cookies.map(({ name, value }) => `${name}=${decoded(value.replace(/^"(.*)"$/, '$1'))}`).join('\n');
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function toVouched(
  setting: OldSession,
  given: { answer: unknown; templates: NonNullable<OldSession['response']>; once: string; isVerified: boolean },
): Vouched {
  const templates = setting.response ?? given.templates;
  const read = (name: keyof typeof templates) => {
    const text = templates[name] === undefined ? null : readTemplate(templates[name], given.answer)?.trim();
    return text && text.length <= LONGEST_FIELD && isCleanText(text) ? text : null;
  };
  const uid = read('uid');
  if (uid === null) return { ok: false, why: 'the answer holds no uid' };
  const email = parseEmail(read('email') ?? '');
  const isEmailVerified = email !== null && (setting.email_is_verified || given.isVerified);
  const person = {
    uid,
    email,
    isEmailVerified,
    name: read('name'),
    firstName: read('first_name'),
    lastName: read('last_name'),
    avatarUrl: null,
  };
  return { ok: true, person, hash: hashToken(given.once) };
}
