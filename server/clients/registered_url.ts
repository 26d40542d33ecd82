// What may be registered as a URL of a client: the one check behind the realm file, the commands and dynamic registration.
// Security 23, 173; OpenID Connect Dynamic Client Registration §2.

import { isIP } from 'node:net';
import { isLoopbackHost } from '../lib/url.ts';

const LONGEST_URI = 2048;
/** Begins the fault of a loopback name that is not allowed. */
export const LOOPBACK_REFUSED =
  'a loopback name needs CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK=1, which is for trying things on one machine;';
// Signs that URL parsers strip, move or read in two ways.
const UNSAFE_SIGNS = /[\u0000-\u0020\u007f-\uffff\\]/;

/** What is wrong with a redirect URI, and what to write instead; null when it may be registered. */
export function findRedirectUriFault(text: string, allowLoopback: boolean): string | null {
  const fault = findUrlFault(text, allowLoopback);
  if (fault) return `${fault}, such as https://product.example/oauth/callback`;
  const name = new URL(text).hostname.replace(/^\[|\]$/g, '');
  return isIP(name) ? 'an address cannot be registered: write a host name' : null;
}

/** The same for an address that the server calls by itself. Whether its name is a public one is judged at every call. */
export function findEndpointFault(text: string, allowLoopback: boolean, example: string): string | null {
  const fault = findUrlFault(text, allowLoopback);
  if (fault) return `${fault}, such as ${example}`;
  const { host, hostname } = new URL(text);
  return isIP(hostname.replace(/^\[|\]$/g, '')) && !isLoopbackHost(host)
    ? 'an address cannot be registered: write a host name'
    : null;
}

/** The same for any absolute URL: https, or http on a loopback name where those are allowed. */
export function findUrlFault(text: string, allowLoopback: boolean): string | null {
  if (text.length > LONGEST_URI) return `too long: write a URL of ${LONGEST_URI} characters or fewer`;
  if (text.includes('*')) return 'a wildcard cannot be registered: write one whole URL';
  if (text.includes('#')) return 'write the URL without a fragment (#…)';
  if (UNSAFE_SIGNS.test(text) || !/^https?:\/\/[^/]/.test(text) || !URL.canParse(text))
    return 'write an absolute https URL';
  const url = new URL(text);
  if (url.username || url.password || /^https?:\/\/[^/?]*@/.test(text)) return 'write the URL without a user name (…@)';
  if (isLoopbackHost(url.host)) return allowLoopback ? null : `${LOOPBACK_REFUSED} or write a public URL`;
  return url.protocol === 'http:' ? 'write the URL with https' : null;
}
