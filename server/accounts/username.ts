// User names: letters and digits of any script, joined by dot, hyphen or underscore. An e-mail address is also a user name,
// but only the account's own (published sign-up forms send the address in both fields).
// Letters and marks that nobody sees (fillers, joiners, variation selectors) would make two names look like one.

import { parseEmail } from '../lib/email.ts';

const FORM = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}._-]{0,62}[\p{L}\p{N}\p{M}])?$/u;
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/** A user name as shown and as looked up; null when it is not one. */
export function parseUsername(text: string): { username: string; canonical: string } | null {
  // Before any folding: what is no address as an e-mail must not become one as a user name.
  if (text.includes('@')) {
    const email = parseEmail(text);
    return email && { username: email.address, canonical: email.canonical };
  }
  const username = text.trim().normalize('NFKC');
  const isName = FORM.test(username) && !INVISIBLE.test(username);
  return isName ? { username, canonical: username.toLowerCase() } : null;
}
