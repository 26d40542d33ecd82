// The account's page of products with access (auth domain): what a reader allowed them, and taking it back. Withdrawing ends
// every token that the product holds for the account.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { asClientRowId } from '../lib/ids.ts';
import type { Provider } from '../oauth/oauth.ts';
import { addressOf, type SitePages } from '../realms/middleware.ts';
import { type Gate, leaveNote, takeNote } from './middleware.ts';

const PAGE = '/oauth/consents';
const withdrawForm = z.object({
  csrf_token: z.string().max(200).default(''),
  client: z.string().regex(/^\d{1,18}$/, 'must be the number of a client'),
});

export function consentRoutes(options: { provider: Provider; pages: SitePages }, gate: Gate) {
  const { provider, pages } = options;

  async function list(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (signedIn) await render(ctx, signedIn, null);
  }

  async function render(ctx: Context, signedIn: SignedIn, problem: string | null) {
    const consents = await provider.listConsents(signedIn.account.id);
    pages.render(ctx, {
      view: 'account_page/consents',
      data: {
        csrfToken: csrfToken(ctx),
        note: takeNote(ctx),
        problem,
        consents: consents.map(({ clientRowId, name, scopes, since }) => ({
          client: clientRowId,
          name,
          scopes,
          since,
        })),
      },
    });
  }

  async function withdraw(ctx: Context) {
    const form = await readForm(ctx, withdrawForm);
    const again = (who: SignedIn) => render(ctx, who, 'form-renewed');
    const signedIn = await gate.admit(ctx, { form, path: PAGE, needs: 'session', again });
    if (!signedIn) return;
    if (await provider.withdrawConsent(signedIn, asClientRowId(form.client), addressOf(ctx)))
      leaveNote(ctx, 'withdrawn');
    seeOther(ctx, PAGE);
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: only what belongs to the caller' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_consents',
      method: 'GET',
      path: '/oauth/consents',
      effect: 'reads',
      csrf: 'none: reads',
      handle: list,
    },
    {
      ...page,
      name: 'account_page.withdraw_consent',
      method: 'POST',
      path: '/oauth/consents',
      effect: 'acts',
      csrf: 'form',
      handle: withdraw,
    },
  ]);
}
