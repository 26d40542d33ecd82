// A contact: an e-mail address or a phone number that somebody typed, and that a code can be sent to.

import { parseEmail } from '../lib/email.ts';
import type { CanonicalEmail } from '../lib/ids.ts';
import type { Realm } from '../realms/realms.ts';
import { parsePhone } from './phone.ts';

export type Contact =
  | { kind: 'email'; address: string; canonical: CanonicalEmail }
  | { kind: 'phone'; number: string; canonical: string };

/** The contact that was typed; null when it is neither an address nor a number. */
export function parseContact(
  realm: Realm,
  typed: { email?: string | null | undefined; phone?: string | null | undefined },
): Contact | null {
  if (typed.email) {
    const email = parseEmail(typed.email);
    return email && { kind: 'email', ...email };
  }
  const number = typed.phone ? parsePhone(typed.phone, realm.settings.default_country) : null;
  return number === null ? null : { kind: 'phone', number, canonical: number };
}
