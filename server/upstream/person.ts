// What a provider says of a person, in its own words, as the person that Causeway knows. Nothing here is trusted beyond what
// the row of the provider and the operator say.

import { isCleanText } from '../http/text.ts';
import { parseEmail } from '../lib/email.ts';
import type { CanonicalEmail } from '../lib/ids.ts';
import type { Provider } from './providers.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** Somebody whom a provider has vouched for. */
export type UpstreamPerson = {
  /** Issuer and subject together say who it is; nothing else does (OpenID Connect Core §5.7). */
  issuer: string;
  subject: string;
  email: { address: string; canonical: CanonicalEmail } | null;
  /** The provider says that this person controls the address, and may be believed about its domain (security 161). */
  isEmailProven: boolean;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  pictureUrl: string | null;
};

const LONGEST_SUBJECT = 255;
const LONGEST_NAME = 200;
const LONGEST_URL = 2048;

/** The person behind claims; null when they name nobody. */
export function toPerson(
  claims: Claims,
  from: { issuer: string; provider: Provider; trustedDomains: readonly string[] },
): UpstreamPerson | null {
  const subject = textOf(claims['sub'], LONGEST_SUBJECT);
  if (subject === null) return null;
  const email = parseEmail(typeof claims['email'] === 'string' ? claims['email'] : '');
  const firstName = textOf(claims['given_name'], LONGEST_NAME);
  const lastName = textOf(claims['family_name'], LONGEST_NAME);
  const joined = [firstName, lastName].filter((part) => part !== null).join(' ');
  return {
    issuer: from.issuer,
    subject,
    email,
    isEmailProven: email !== null && from.provider.isEmailVerified(claims) && mayVouch(email.canonical, claims, from),
    name: textOf(claims['name'], LONGEST_NAME) ?? textOf(joined, LONGEST_NAME),
    firstName,
    lastName,
    pictureUrl: pictureOf(claims['picture']),
  };
}

function mayVouch(
  email: CanonicalEmail,
  claims: Claims,
  { provider, trustedDomains }: { provider: Provider; trustedDomains: readonly string[] },
): boolean {
  const domain = email.slice(email.lastIndexOf('@') + 1);
  const domains = [...provider.ownDomains(claims), ...trustedDomains].map((one) => one.toLowerCase());
  return domains.includes('*') || domains.includes(domain);
}

/** Clean, trimmed, not empty and short enough; a number is written in digits. */
function textOf(value: unknown, most: number): string | null {
  const text = Number.isSafeInteger(value) ? String(value) : typeof value === 'string' ? value.trim() : '';
  return text !== '' && text.length <= most && isCleanText(text) ? text : null;
}

function pictureOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > LONGEST_URL || !URL.canParse(value)) return null;
  return new URL(value).protocol === 'https:' ? new URL(value).href : null;
}
