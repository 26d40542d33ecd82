// User names: letters and digits of any script, joined by dot, hyphen or underscore. An e-mail address is also a user name,
// but only the account's own (published sign-up forms send the address in both fields).

import { parseEmail } from './email.ts';

const FORM = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}._-]{0,62}[\p{L}\p{N}\p{M}])?$/u;

/** A user name as shown and as looked up; null when it is not one. */
export function parseUsername(text: string): { username: string; canonical: string } | null {
  const username = text.trim().normalize('NFKC');
  if (username.includes('@')) {
    const email = parseEmail(username);
    return email && { username: email.address, canonical: email.canonical };
  }
  return FORM.test(username) ? { username, canonical: username.toLowerCase() } : null;
}
