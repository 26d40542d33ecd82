// What a verification request of a product carries, pure: the user id and the credential stand in a request header or in a
// parameter of the operator's choice. QuickBlox writes hyphens for underscores in header names; both spellings are read.

import type { Account } from '../accounts/accounts.ts';
import { parseEmail, parseUsername } from '../accounts/accounts.ts';

export type Carried = {
  /** A header by its name in small letters. */
  header(name: string): string;
  /** Parameters of the query (GET) or of the body (POST). */
  parameters: Readonly<Record<string, string | undefined>>;
};

/** What stands under a name; null when nothing does, `several` when header and parameter disagree. */
export function readCarried(name: string, { header, parameters }: Carried): string | 'several' | null {
  const spellings = new Set([name.toLowerCase(), name.toLowerCase().replaceAll('_', '-')]);
  const values = [...[...spellings].map(header), Object.hasOwn(parameters, name) ? (parameters[name] ?? '') : '']
    .map((value) => value.trim())
    .filter(Boolean);
  const distinct = [...new Set(values)];
  return distinct.length > 1 ? 'several' : (distinct[0] ?? null);
}

/** Whether a user id that was sent means this account: its integer id, its sub, its user name or its e-mail address. */
export function isSameUser(account: Account, sent: string): boolean {
  if (sent === account.id || sent === account.sub) return true;
  const email = parseEmail(sent)?.canonical;
  if (email !== undefined && account.email !== null && parseEmail(account.email)?.canonical === email) return true;
  const username = parseUsername(sent)?.canonical;
  return username !== undefined && account.username !== null && parseUsername(account.username)?.canonical === username;
}
