// Which counters a sign-in try is charged to. A browser that signed in to the account before is counted apart from
// strangers, so nobody can lock an owner out by guessing; strangers share one counter per account, whatever their address.

import { parseLimit } from '../lib/duration.ts';
import type { Take } from '../ratelimit/ratelimit.ts';
import type { Realm } from '../realms/realms.ts';

/**
 * The counters of one try.
 * @param attempt subject: account id, or the hash of an identifier that nobody has (limited alike, so that limits do not
 *   tell who exists); knownDevice: id of a browser that signed in to this account before; address of the client
 */
export function signInTakes(
  realm: Realm,
  attempt: { subject: string; knownDevice: string | null; address: string | null },
): Take[] {
  const { settings } = realm;
  const own: Take = attempt.knownDevice
    ? {
        policy: 'sign-in-device',
        key: `${realm.id}:${attempt.subject}:${attempt.knownDevice}`,
        ...limit(settings.sign_in_per_device),
      }
    : { policy: 'sign-in-account', key: `${realm.id}:${attempt.subject}`, ...limit(settings.sign_in_per_account) };
  return [
    // The address first: one sender cannot use up an account's counter, and neither the realm's, beyond its own limit.
    {
      policy: 'sign-in-address',
      key: `${realm.id}:${attempt.address ?? 'unknown'}`,
      ...limit(settings.sign_in_per_address),
    },
    own,
    { policy: 'sign-in-realm', key: realm.id, ...limit(settings.sign_in_per_realm) },
  ];
}

/** Stands for the subject in the counters of a try whose account the same statement looks up; no key holds it otherwise. */
export const UNKNOWN_SUBJECT = '{subject}';

/** The counter of a sign-up. */
export function signUpTakes(realm: Realm, address: string | null): Take[] {
  return [
    {
      policy: 'sign-up-address',
      key: `${realm.id}:${address ?? 'unknown'}`,
      ...limit(realm.settings.sign_up_per_address),
    },
  ];
}

/** The counter of a typed code. */
export function codeTries(realm: Realm, address: string | null): Take[] {
  return [
    {
      policy: 'code-try-address',
      key: `${realm.id}:${address ?? 'unknown'}`,
      ...limit(realm.settings.code_tries_per_address),
    },
  ];
}

function limit(text: string) {
  const parsed = parseLimit(text);
  if (!parsed) throw new Error(`not a limit: ${text}`);
  return parsed;
}
