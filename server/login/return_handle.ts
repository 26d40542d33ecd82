// Where a reader goes back to after signing in: a signed handle that travels through the sign-in page. It knows no OAuth: a
// path on the auth domain, the name of the site that asked, and where the redirects after it lead. Nothing in it is trusted
// for long: the path's endpoint checks everything again. So it needs no expiry, and a page left open overnight still works.

import type { OwnPath } from '../http/redirect.ts';
import type { ClientId, Host } from '../lib/ids.ts';
import type { Sealer } from '../lib/seal.ts';

export type ReturnTo = {
  /** Path and query on the auth domain. */
  path: OwnPath;
  /** The site that asked, as registered; its `client_id` finds its looks. */
  client: { id?: ClientId; name: string; host: string | null } | null;
  /** Origins, or for a product schemes, that the redirects after the form post reach (content security policy, form-action). */
  targets: readonly string[];
  /**
   * Set when the sign-in must be a new one: when the reader had last signed in as it was asked for, milliseconds since the
   * epoch, 0 for nobody. A reader who is signed in since then goes straight on.
   */
  since?: number;
  /** The handle that this was read from, for the pages of a sign-in that has more than one. */
  handle?: string;
};

const LONGEST = 7500;

/** Seals a way back for use on one auth domain. */
export function sealReturn(sealer: Sealer, host: Host, to: ReturnTo): Promise<string> {
  return sealer.seal({ h: host, p: to.path, c: to.client, t: to.targets, s: to.since ?? null }, null);
}

/** Opens a handle; null when it is absent, changed, or from another auth domain. */
export async function openReturn(
  sealer: Sealer,
  host: Host,
  handle: string | null | undefined,
): Promise<ReturnTo | null> {
  if (!handle || handle.length > LONGEST) return null;
  const payload = await sealer.open(handle);
  if (!payload || payload['h'] !== host) return null;
  const [path, client, targets] = [payload['p'], payload['c'], payload['t']];
  if (typeof path !== 'string' || !/^\/(?![/\\])/.test(path) || !Array.isArray(targets)) return null;
  const since = typeof payload['s'] === 'number' ? { since: payload['s'] } : {};
  return {
    path: path as OwnPath,
    client: (client ?? null) as ReturnTo['client'],
    targets: targets.map(String),
    handle,
    ...since,
  };
}
