// Finds the site of a request by its host, and the address of the person behind it.
// `Host` is only a look-up key: anybody may send any host, and reaches what that host's readers reach. `X-Forwarded-Host` is
// believed from a publisher's proxy that proves itself by its secret, and only for the host of that very client.

import { clientAddress, type Networks } from '../http/address.ts';
import { disallowOrigin } from '../http/cors.ts';
import { AppError } from '../http/errors.ts';
import { hasFailed, throwNoted } from '../http/failures.ts';
import { findProtocolFault } from '../http/protocol_fault.ts';
import type { Context, Middleware } from '../http/route.ts';
import type { Host } from '../lib/ids.ts';
import { parseHost } from '../lib/url.ts';
import { noteBrandOf, noteSite } from '../realms/middleware.ts';
import type { Realms } from '../realms/realms.ts';
import { type Client, type Clients, isReadableFrom } from './clients.ts';

const PROXY_SECRET = 'X-Causeway-Proxy-Secret';

type Lookups = Pick<Realms, 'findSite'> & Pick<Clients, 'findForHost' | 'findHostOfProxySecret'>;

/** Middleware that refuses unknown hosts (421, nothing set) and notes site and address for the rest. */
export function findSite(options: { realms: Realms; clients: Clients; proxies: Networks }): Middleware {
  const { realms, clients } = options;
  const asked: Lookups = {
    findSite: (host) => realms.findSite(host),
    findForHost: (host) => clients.findForHost(host),
    findHostOfProxySecret: (secret) => clients.findHostOfProxySecret(secret),
  };
  const remembered: Lookups = {
    findSite: async (host) => realms.peekSite(host) && realms.findSite(host),
    findForHost: async (host) => clients.peekForHost(host),
    findHostOfProxySecret: async (secret) => clients.peekHostOfProxySecret(secret),
  };
  return async (ctx, next) => {
    const fault = findProtocolFault(ctx.req);
    // Where it ends may be read in another way by whoever is in front of us.
    if (fault) throw new AppError(fault.code, { description: fault.text, headers: { Connection: 'close' } });
    // Who has waited for PostgreSQL in vain does not wait again, for what may be forgotten by now (reliability R-32).
    const { findSite, findForHost, findHostOfProxySecret } = hasFailed(ctx.req) ? remembered : asked;
    const proven = await proveProxy(ctx, findHostOfProxySecret);
    const host = proven ?? parseHost(ctx.get('Host'));
    if (!host) throw new AppError('invalid_request', { description: 'The Host header is not a host name.' });
    ctx.state['host'] = host;
    const site = await findSite(host);
    if (!site) throwNoted(ctx.req);
    if (!site) throw new AppError('unknown_host', { rows: [{ label: 'Host', value: host }], detail: { host } });
    const address = clientAddress({
      connection: ctx.req.socket.remoteAddress ?? '',
      forwarded: ctx.get('X-Forwarded-For'),
      trusted: options.proxies,
      extraHops: proven ? 1 : 0,
    });
    const isOfClient = site.domain.role === 'client';
    const client = isOfClient ? await findForHost(host) : null;
    // Not to be taken for a site whose client is switched off.
    if (isOfClient && !client) throwNoted(ctx.req);
    noteSite(ctx, { site, address, isSiteOpen: site.domain.role === 'auth' || client !== null });
    noteBrandOf(ctx, client);
    return next();
  };
}

/** The host that a publisher's proxy vouches for; null when the request carries no proof. */
async function proveProxy(ctx: Context, findHost: Lookups['findHostOfProxySecret']): Promise<Host | null> {
  const secret = ctx.get(PROXY_SECRET);
  if (!secret) return null;
  const own = secret.length <= 256 ? await findHost(secret) : null;
  if (!own) throwNoted(ctx.req);
  if (!own) throw new AppError('forbidden', { description: 'The proxy secret is not one that is registered.' });
  const asked = parseHost(ctx.get('X-Forwarded-Host') || ctx.get('Host'));
  // A proxy speaks for its own site alone, whatever host it names.
  if (asked !== own)
    throw new AppError('unknown_host', {
      description: 'This proxy may not speak for that host.',
      detail: { own, asked },
    });
  return own;
}

/** Once the client of a request is known: only pages of that very client read the answer, whatever other public ones there are. */
export function limitReadersTo(ctx: Context, client: Client): void {
  if (!isReadableFrom(client, ctx.get('Origin'))) disallowOrigin(ctx);
}
