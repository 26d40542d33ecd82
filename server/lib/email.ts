// E-mail addresses: what is accepted, and the one form under which an address is looked up and unique.
// The local part is ASCII (no SMTPUTF8 yet): letters that only look like others cannot name somebody else's account.

import { domainToASCII } from 'node:url';
import type { CanonicalEmail } from './ids.ts';

const LONGEST = 254;
// RFC 5321 §4.1.2 dot-string; quoted local parts, comments and routes are refused on purpose.
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

export type Email = { address: string; canonical: CanonicalEmail };

/** An address as typed, with its domain in ASCII; null when it is not one that we accept. */
export function parseEmail(text: string): Email | null {
  const trimmed = text.trim();
  if (trimmed.length > LONGEST) return null;
  const at = trimmed.indexOf('@');
  const [local, rawDomain] = [trimmed.slice(0, at), trimmed.slice(at + 1)];
  if (at < 1 || at > 64 || !LOCAL.test(local)) return null;
  // Only letters, digits, dots, hyphens and non-ASCII reach the IDNA mapping, which would drop or fold other signs.
  if (/[^\p{L}\p{N}\p{M}.-]/u.test(rawDomain)) return null;
  const domain = domainToASCII(rawDomain.normalize('NFKC'));
  if (!DOMAIN.test(domain)) return null;
  const address = `${local}@${domain}`;
  return address.length > LONGEST ? null : { address, canonical: address.toLowerCase() as CanonicalEmail };
}
