// The list of sites whose pages may use the passkeys of the auth domain, as browsers fetch it (WebAuthn L3 §5.11).

import type { Clients } from '../clients/clients.ts';
import { type Context, routes } from '../http/route.ts';
import { listRelatedOrigins } from '../mfa/mfa.ts';
import { siteOf } from '../realms/middleware.ts';

const MAX_AGE_SECONDS = 300;

export function relatedOriginsRoutes({ clients }: { clients: Clients }) {
  /** WebAuthn L3 §5.11: a JSON object with the member `origins`, as application/json, without redirects. */
  async function relatedOrigins(ctx: Context) {
    const sites = await clients.listSites(siteOf(ctx).realm.id);
    // Alike for everybody: the one kind of answer that may be kept.
    for (const name of ['Pragma', 'CDN-Cache-Control', 'Surrogate-Control', 'Vary']) ctx.remove(name);
    ctx.set('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`);
    ctx.body = { origins: listRelatedOrigins(sites.map(({ origin }) => origin)) };
  }

  return routes([
    {
      name: 'login.related_origins',
      method: 'GET',
      path: '/.well-known/webauthn',
      on: 'auth',
      answers: 'oauth',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: one indexed read',
      handle: relatedOrigins,
    },
  ]);
}
