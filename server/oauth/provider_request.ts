// An authorization request of the standard provider: parsed once, then carried in a sealed value through sign-in and consent,
// so that nothing of it can be changed on the way (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1).

import { isCleanText } from '../http/text.ts';

/** Parameters that this endpoint defines; each may stand once, others are ignored. */
export const AUTHORIZE_PARAMETERS = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'prompt',
  'max_age',
  'login_hint',
  'id_token_hint',
  'acr_values',
  'claims',
  'ui_locales',
  'claims_locales',
  'display',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
  'dpop_jkt',
  'registration',
] as const;

export type AuthorizeParameters = Partial<Record<(typeof AUTHORIZE_PARAMETERS)[number], string>>;

export const PROMPTS = ['none', 'login', 'consent', 'select_account', 'create'] as const;
export type Prompt = (typeof PROMPTS)[number];

/** Claims asked for one by one (OpenID Connect Core §5.5): names, and whether `acr` is essential with which values. */
export type ClaimsRequest = { userinfo: string[]; idToken: string[]; essentialAcr: string[] | null };

/** `max_age` in seconds; undefined when absent, null when malformed. */
export function parseMaxAge(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  return /^\d{1,10}$/.test(text) ? Number(text) : null;
}

/** The prompts of a request; null when one is unknown, or `none` stands with another. */
export function parsePrompt(text: string | undefined): Prompt[] | null {
  const prompts = [...new Set((text ?? '').split(' ').filter(Boolean))];
  if (!prompts.every((prompt): prompt is Prompt => (PROMPTS as readonly string[]).includes(prompt))) return null;
  return prompts.includes('none') && prompts.length > 1 ? null : prompts;
}

/** The `claims` parameter; null when it is not the JSON it must be. */
export function parseClaims(text: string | undefined): ClaimsRequest | null {
  if (text === undefined) return { userinfo: [], idToken: [], essentialAcr: null };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const names = (part: unknown) =>
    isObject(part)
      ? Object.keys(part)
          .filter((name) => isCleanText(name) && name.length <= 100)
          .slice(0, 50)
      : [];
  return {
    userinfo: names(value['userinfo']),
    idToken: names(value['id_token']),
    essentialAcr: essentialAcr(value['id_token']),
  };
}

function essentialAcr(idToken: unknown): string[] | null {
  const acr = isObject(idToken) ? idToken['acr'] : null;
  if (!isObject(acr) || acr['essential'] !== true) return null;
  const values = Array.isArray(acr['values']) ? acr['values'] : [acr['value']];
  return values.filter((value): value is string => typeof value === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
