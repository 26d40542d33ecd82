// The letter to the owner of an account that was connected with somebody at another provider, or is so no more: in case it was
// somebody else (security 169).

import type { Accounts } from '../accounts/accounts.ts';
import type { Queryable } from '../db/database.ts';
import type { AccountId, ClientRowId } from '../lib/ids.ts';
import type { Messages } from '../messages/messages.ts';
import type { Realm } from '../realms/realms.ts';

/** From where it was done, and what the letter is written in. */
export type Teller = { address: string | null; locale: string; client?: ClientRowId | null };
export type TellOwner = ReturnType<typeof createConnectionNotice>;

export function createConnectionNotice(options: { accounts: Accounts; messages: Pick<Messages, 'send'> }) {
  const { accounts, messages } = options;

  /** Queues the letter in the caller's transaction. @param of provider: its id in the realm */
  return async function tellOwner(
    q: Queryable,
    of: { realm: Realm; accountId: AccountId; change: 'added' | 'removed'; provider: string; from: Teller },
  ): Promise<void> {
    const { realm, change, provider, from } = of;
    const account = await accounts.findById(q, of.accountId);
    if (!account?.email) return;
    await messages.send(q, {
      realmId: realm.id,
      to: { kind: 'email', address: account.email },
      template: 'factor-changed',
      locale: from.locale,
      client: from.client ?? null,
      values: {
        change,
        factor: 'upstream',
        provider: realm.upstreams.find(({ id }) => id === provider)?.name ?? provider,
        link: `${realm.authOrigin}/account/connections`,
        time: Date.now(),
        ...(from.address !== null && { address: from.address }),
      },
      expiresInSeconds: null,
    });
  };
}
