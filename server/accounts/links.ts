// Where the links of letters lead: pages of the auth domain, or the publisher's own page for a new password. Always an address
// from configuration, never one that a request named (security 32).

import type { PlainToken } from '../lib/ids.ts';
import type { Domain, Realm } from '../realms/realms.ts';

/** Hosted pages behind links; each takes the token in the query, shows a button on GET, and acts on POST. */
export const LINK_PATHS = {
  'verify-email': '/verify-email',
  'reset-password': '/reset-password',
  'sign-in': '/login/link',
  'change-email': '/change-email',
  'undo-email-change': '/undo-email-change',
} as const;

export function linkTo(realm: Realm, to: keyof typeof LINK_PATHS, token: PlainToken): string {
  return `${realm.authOrigin}${LINK_PATHS[to]}?token=${token}`;
}

/**
 * The page for a new password. A publisher's own one (setting reset_password_url) is served on every site of theirs, so the
 * app may say on which host; a host that is no client domain of the realm is ignored.
 */
export function resetPageOf(
  realm: Realm,
  domains: readonly Domain[],
  token: PlainToken,
  currentHost: string | null,
): string {
  const own = realm.settings.reset_password_url;
  if (own === null) return linkTo(realm, 'reset-password', token);
  const wanted = domains.find(({ role, host, origin }) => role === 'client' && isSameHost(currentHost, host, origin));
  const url = wanted ? new URL(new URL(own).pathname + new URL(own).search, wanted.origin) : new URL(own);
  url.searchParams.set('token', token);
  return url.href;
}

/** Apps send a host or a base URL. */
function isSameHost(given: string | null, host: string, origin: string): boolean {
  if (given === null) return false;
  const text = given.trim().toLowerCase().replace(/\/+$/, '');
  return text === host || text === origin;
}
