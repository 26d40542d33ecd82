// The only way to send a browser on: 303 after anything that may have carried a password (RFC 9700 §4.12: never 307), an
// absolute or same-host target that somebody proved, and no body that could reflect it.

import type { CallbackUri, RedirectUri } from '../lib/ids.ts';
import type { Context } from './route.ts';

/** A path of this host, as a literal of our own code begins with. */
export type OwnPath = `/${string}`;
/** A target made from a proven redirect URI or from configuration. */
export type Target = RedirectUri | CallbackUri | OwnPath | ConfiguredUrl;
/** An absolute URL that comes from the realm's configuration, with parameters of ours. */
export type ConfiguredUrl = string & { readonly configured: unique symbol };

/** Answers 303 with a pure-ASCII Location. */
export function seeOther(ctx: Context, target: Target): void {
  ctx.status = 303;
  ctx.set('Location', target);
  ctx.type = 'text/plain';
  ctx.body = '';
}

/** Lower case, no default port, no dots to resolve, nothing to escape, and a path. */
const PLAIN_BASE = /^https?:\/\/[a-z0-9.-]*[a-z](?::(?!80\/|443\/)[1-9]\d{1,4})?(?:\/[A-Za-z0-9_-]+)+$/;

function queryText(parameters: Record<string, string | null | undefined>): string {
  const sent = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] != null);
  return sent.length === 0 ? '' : `?${new URLSearchParams(sent)}`;
}

/** An absolute URL built from configuration and encoded parameters; absent values are left out. */
export function configuredUrl(base: string, parameters: Record<string, string | null | undefined> = {}): ConfiguredUrl {
  // The usual base is as the URL standard writes it and has no query: nothing there to keep, replace or escape anew.
  if (PLAIN_BASE.test(base)) return `${base}${queryText(parameters)}` as ConfiguredUrl;
  const url = new URL(base);
  const added = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value == null) continue;
    if (url.searchParams.has(name)) url.searchParams.set(name, value);
    else added.set(name, value);
  }
  // RFC 6749 §3.1.2: a query that was registered MUST be retained, so it is not serialised anew with other escapes.
  if (added.size > 0) url.search = url.search === '' ? `${added}` : `${url.search}&${added}`;
  return url.href as ConfiguredUrl;
}
