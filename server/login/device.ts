// A browser that has signed in before, remembered in a sealed cookie: its own id and the accounts it signed in to.

import type { AccountId } from '../lib/ids.ts';
import type { Sealer } from '../lib/seal.ts';
import { createToken } from '../lib/token.ts';

export type Device = { id: string; accounts: readonly AccountId[] };

const MOST_ACCOUNTS = 5;
export const DEVICE_LIFETIME_SECONDS = 365 * 86_400;

/** The device that a cookie tells of; null when there is none or it is not ours. */
export async function openDevice(sealer: Sealer, cookie: string | null): Promise<Device | null> {
  const payload = await sealer.open(cookie);
  const [id, accounts] = [payload?.['d'], payload?.['a']];
  if (typeof id !== 'string' || !Array.isArray(accounts)) return null;
  return { id, accounts: accounts.map((account) => String(account) as AccountId) };
}

/** The cookie for a browser that has just signed in to an account. */
export function sealDevice(sealer: Sealer, before: Device | null, account: AccountId): Promise<string> {
  const others = (before?.accounts ?? []).filter((id) => id !== account);
  const accounts = [account, ...others].slice(0, MOST_ACCOUNTS);
  return sealer.seal({ d: before?.id ?? createToken(), a: accounts }, DEVICE_LIFETIME_SECONDS);
}
