// What happened to the account lately, in words: sign-ins, failed tries, changes (security 142).

import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import { type Context, routes } from '../http/route.ts';
import type { SitePages } from '../realms/middleware.ts';
import type { Gate } from './middleware.ts';

const PAGE = '/account/activity';

export function activityRoutes(options: { db: Database; audit: Audit; pages: SitePages }, gate: Gate) {
  const { db, audit, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (!signedIn) return;
    const events = await audit.listOf(db, signedIn.account.id);
    pages.render(ctx, {
      view: 'account_page/activity',
      // Those that have words are shown: account_page.activity.event.<type with a line for the dot>.
      data: { events: events.map(({ type, at, address }) => ({ key: type.replaceAll('.', '_'), at, address })) },
    });
  }

  return routes([
    {
      on: 'auth',
      answers: 'page',
      name: 'account_page.show_activity',
      method: 'GET',
      path: '/account/activity',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: only what belongs to the caller',
      handle: show,
    },
  ]);
}
