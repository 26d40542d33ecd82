// The account's page of products with access (auth domain): what a reader allowed them, and taking it back. Withdrawing ends
// every token that the product holds for the account.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { asClientRowId } from '../lib/ids.ts';
import { addressOf, type SitePages } from '../realms/middleware.ts';
import type { Provider } from './oauth.ts';

const PAGE = '/oauth/consents';
const withdrawForm = z.object({
  csrf_token: z.string().max(200).default(''),
  client: z.string().regex(/^\d{1,18}$/, 'must be the number of a client'),
});

export function consentRoutes(options: { provider: Provider; reader: Reader; pages: SitePages }) {
  const { provider, reader, pages } = options;

  async function list(ctx: Context) {
    const signedIn = await reader.find(ctx);
    if (!signedIn) return seeOther(ctx, '/');
    const consents = await provider.listConsents(signedIn.account.id);
    pages.render(ctx, {
      view: 'oauth/consents',
      data: {
        csrfToken: csrfToken(ctx),
        consents: consents.map(({ clientRowId, name, scopes, since }) => ({
          client: clientRowId,
          name,
          scopes,
          since: since.toISOString().slice(0, 10),
        })),
      },
    });
  }

  async function withdraw(ctx: Context) {
    const form = await readForm(ctx, withdrawForm);
    const signedIn = await reader.find(ctx);
    // A stale form shows the page again, with nothing changed.
    if (signedIn && hasCsrfToken(ctx, form.csrf_token)) {
      await provider.withdrawConsent(signedIn, asClientRowId(form.client), addressOf(ctx));
    }
    seeOther(ctx, PAGE);
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: only what belongs to the caller' } as const;
  return routes([
    {
      ...page,
      name: 'oauth.list_consents',
      method: 'GET',
      path: '/oauth/consents',
      effect: 'reads',
      csrf: 'none: reads',
      handle: list,
    },
    {
      ...page,
      name: 'oauth.withdraw_consent',
      method: 'POST',
      path: '/oauth/consents',
      effect: 'acts',
      csrf: 'form',
      handle: withdraw,
    },
  ]);
}
