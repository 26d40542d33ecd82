// The ways into an account that hang on nothing but itself: a password, or a code or link to an address that is proven to be
// its owner's. Passkeys and other providers come on top (mfa, upstream); nobody may take the last of all away (security 165).

import type { Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import type { Messages } from '../messages/messages.ts';
import type { Realm } from '../realms/realms.ts';
import type { Accounts } from './accounts.ts';

/** Whether an account could sign in by password, code or link, as its realm offers them and as far as anything can be sent. */
export async function hasOwnWayIn(
  q: Queryable,
  { realm, accountId }: { realm: Realm; accountId: AccountId },
  using: { accounts: Accounts; messages: Pick<Messages, 'canReach'> },
): Promise<boolean> {
  const { accounts, messages } = using;
  const methods = realm.settings.sign_in_methods;
  if (methods.includes('password') && (await accounts.hasPassword(q, accountId))) return true;
  if (!methods.includes('code') && !methods.includes('link')) return false;
  const account = await accounts.findById(q, accountId);
  if (!account) return false;
  const isMailed = account.email !== null && account.verificationStatus === 'email' && messages.canReach('email');
  // A number by which somebody signs in was proven when it was added; what goes there is always a code.
  return isMailed || (account.loginPhoneNumber !== null && messages.canReach('phone'));
}
