// Scopes (RFC 6749 §3.3): a set, order and repetition without meaning; what a client is not registered for is left out.

/** The scopes of a request that the client may have; unknown ones are dropped, as OpenID Connect Core §3.1.2.1 allows. */
export function grantableScopes(requested: string | undefined, registered: readonly string[]): string[] {
  const wanted = new Set((requested ?? '').split(' ').filter(Boolean));
  return registered.filter((scope) => wanted.has(scope));
}

/**
 * The scopes that a request asks of a client. RFC 6749 §3.3: what a request without any usable scope gets is the server's to
 * say: products whose form has a free or optional scope field, and which read a mapped profile, get what they are registered for.
 */
export function effectiveScopes(
  requested: string | undefined,
  client: { scopes: readonly string[]; userinfo_mapping?: string | undefined },
): string[] {
  const granted = grantableScopes(requested, client.scopes);
  return granted.length > 0 || client.userinfo_mapping === undefined
    ? granted
    : client.scopes.filter((scope) => scope !== 'offline_access');
}

/** A narrower set for a refresh (RFC 6749 §6); null when it asks for more than was granted. */
export function narrowScopes(requested: string | undefined, granted: readonly string[]): string[] | null {
  if (requested === undefined) return [...granted];
  const wanted = [...new Set(requested.split(' ').filter(Boolean))];
  return wanted.every((scope) => granted.includes(scope)) ? wanted : null;
}
