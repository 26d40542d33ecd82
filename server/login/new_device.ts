// A sign-in in a browser that the account has never been used in: its owner is told, in case it was somebody else (security 142).

import type { Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Queryable } from '../db/database.ts';
import { browserName } from '../lib/browser_name.ts';
import type { AccountId, SessionId } from '../lib/ids.ts';
import type { Sealer } from '../lib/seal.ts';
import type { Messages } from '../messages/messages.ts';
import type { Attempt } from './complete.ts';
import { openDevice } from './device.ts';

export type TellOfNewDevice = ReturnType<typeof createNewDeviceNotice>;

/** @param options deviceSealer: of the cookie that says which accounts a browser has signed in to */
export function createNewDeviceNotice(options: {
  audit: Audit;
  accounts: Accounts;
  messages: Pick<Messages, 'send'>;
  deviceSealer: Sealer;
}) {
  const { audit, accounts, messages } = options;

  /**
   * Tells the owner, in the transaction that begins the session and before it notes the sign-in. The first sign-in of an account
   * is no news to the person who has just made it.
   */
  return async function tellOfNewDevice(
    q: Queryable,
    attempt: Attempt,
    of: { accountId: AccountId; sessionId: SessionId },
  ): Promise<void> {
    const { accountId, sessionId } = of;
    const { realm, address } = attempt;
    const device = await openDevice(options.deviceSealer, attempt.deviceCookie);
    if (device?.accounts.includes(accountId) || !(await audit.has(q, accountId, 'sign-in.succeeded'))) return;
    await audit.record(q, { type: 'sign-in.new-device', realmId: realm.id, accountId, sessionId, address });
    const account = await accounts.findById(q, accountId);
    if (!account || account.email === null) return;
    const { browser, system } = browserName(attempt.userAgent);
    const name = [browser, system].filter((part) => part !== null).join(', ');
    await messages.send(q, {
      realmId: realm.id,
      to: { kind: 'email', address: account.email },
      template: 'new-device',
      locale: attempt.locale,
      values: {
        link: `${realm.authOrigin}/account/devices`,
        time: Date.now(),
        ...(name !== '' && { device: name }),
        ...(address !== null && { address }),
      },
      expiresInSeconds: null,
    });
  };
}
