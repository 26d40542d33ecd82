// Related origins (WebAuthn L3 §5.11): pages of the client domains may use the passkeys of the auth domain, because the auth
// domain lists them at /.well-known/webauthn. Browsers heed five different names and ignore the rest, so we say which.

import { createRequire } from 'node:module';
import type { getDomain } from 'tldts';

/** WebAuthn L3 §5.11: clients have to support five registrable origin labels at least; browsers support just as many. */
export const MOST_LABELS = 5;

/** The id of the relying party: the auth domain's host, which has no port (WebAuthn L3 §5.4.2). */
export const rpIdOf = (authOrigin: string): string => new URL(authOrigin).hostname;

/** The origins of a realm's sites as they are listed, always in the same order: where it ends, the browser stops reading. */
export const listRelatedOrigins = (origins: readonly string[]): string[] => [...new Set(origins)].sort();

/** WebAuthn L3 §5.11.1: the first label of the registrable domain, `daily` for news.daily.co.uk; null when there is none. */
function registrableLabel(origin: string): string | null {
  const domain = loadSuffixes().getDomain(new URL(origin).hostname, { allowPrivateDomains: true });
  return domain?.split('.')[0] ?? null;
}

/** Loaded when asked for: the list of public suffixes takes 3 MB. */
const loadSuffixes = (): { getDomain: typeof getDomain } => createRequire(import.meta.url)('tldts');

/**
 * The origins of a list that browsers will not serve, judged as they do: in the order of the list, five labels at most.
 */
export function findUnserved(origins: readonly string[]): { labels: readonly string[]; unserved: readonly string[] } {
  const labels = new Set<string>();
  const unserved: string[] = [];
  for (const origin of listRelatedOrigins(origins)) {
    const label = registrableLabel(origin);
    if (label !== null && (labels.has(label) || labels.size < MOST_LABELS)) labels.add(label);
    else unserved.push(origin);
  }
  return { labels: [...labels], unserved };
}

/** What an operator should know of a realm's domains; null when passkeys work on all of them. */
export function warnOfUnserved(slug: string, origins: readonly string[]): string | null {
  const { labels, unserved } = findUnserved(origins);
  if (unserved.length === 0) return null;
  return (
    `realm ${slug}: passkeys will not work on the pages of ${unserved.join(', ')}: browsers let one auth domain serve ` +
    `${MOST_LABELS} different names (${labels.join(', ')}). Readers of the others use their passkey on the auth domain's ` +
    `sign-in page, where it works for all. To serve more, put sites under a name that is served, or into a realm of their own.`
  );
}
