// The account page: one page for each subject, all behind the same gate, and the page that leads to them.

import type { Accounts } from '../accounts/accounts.ts';
import type { Database } from '../db/database.ts';
import { csrfToken } from '../http/csrf.ts';
import { type Context, type Route, routes } from '../http/route.ts';
import type { Mfa } from '../mfa/mfa.ts';
import type { Provider } from '../oauth/oauth.ts';
import { type SitePages, siteOf } from '../realms/middleware.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { activityRoutes } from './activity_routes.ts';
import { connectionRoutes } from './connection_routes.ts';
import { consentRoutes } from './consent_routes.ts';
import { dataRoutes } from './data_routes.ts';
import { deviceRoutes } from './device_routes.ts';
import { emailRoutes } from './email_routes.ts';
import { createGate, type Gate, takeNote } from './middleware.ts';
import { passkeyRoutes } from './passkey_routes.ts';
import { passwordRoutes } from './password_routes.ts';
import { profileRoutes } from './profile_routes.ts';
import { twoStepRoutes } from './two_step_routes.ts';

type Options = OverviewOptions &
  Parameters<typeof createGate>[0] &
  Parameters<typeof profileRoutes>[0] &
  Parameters<typeof emailRoutes>[0] &
  Parameters<typeof passwordRoutes>[0] &
  Parameters<typeof twoStepRoutes>[0] &
  Parameters<typeof passkeyRoutes>[0] &
  Parameters<typeof connectionRoutes>[0] &
  Parameters<typeof consentRoutes>[0] &
  Parameters<typeof deviceRoutes>[0] &
  Parameters<typeof activityRoutes>[0] &
  Parameters<typeof dataRoutes>[0];
type OverviewOptions = {
  db: Database;
  accounts: Accounts;
  mfa: Mfa;
  upstream: Upstream;
  provider: Provider;
  sessions: Sessions;
  pages: SitePages;
};

export function accountPageRoutes(options: Options): readonly Route[] {
  const gate = createGate(options);
  return [
    ...overviewRoutes(options, gate),
    ...profileRoutes(options, gate),
    ...emailRoutes(options, gate),
    ...passwordRoutes(options, gate),
    ...twoStepRoutes(options, gate),
    ...passkeyRoutes(options, gate),
    ...connectionRoutes(options, gate),
    ...consentRoutes(options, gate),
    ...deviceRoutes(options, gate),
    ...activityRoutes(options, gate),
    ...dataRoutes(options, gate),
  ];
}

function overviewRoutes(options: OverviewOptions, gate: Gate) {
  const { db, accounts, mfa, upstream, provider, sessions, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, '/account');
    if (!signedIn) return;
    const { account } = signedIn;
    const { realm } = siteOf(ctx);
    const [hasPassword, factors, identities, consents, devices] = await Promise.all([
      accounts.hasPassword(db, account.id),
      mfa.factorsOf(db, account.id),
      upstream.listIdentities(account.id),
      provider.listConsents(account.id),
      sessions.listOf(account.id),
    ]);
    pages.render(ctx, {
      view: 'account_page/overview',
      data: {
        csrfToken: csrfToken(ctx),
        note: takeNote(ctx),
        account: { name: account.name ?? account.username, email: account.email },
        isVerified: account.verificationStatus === 'email',
        hasPassword,
        hasTwoStep: factors.some(({ kind }) => kind === 'totp'),
        hasPasskey: factors.some(({ kind }) => kind === 'passkey'),
        offersTwoStep: factors.length > 0 || realm.settings.second_factor !== 'off',
        offersConnections: realm.upstreams.length > 0 || identities.length > 0,
        counts: { connections: identities.length, consents: consents.length, devices: devices.length },
      },
    });
  }

  return routes([
    {
      on: 'auth',
      answers: 'page',
      name: 'account_page.show',
      method: 'GET',
      path: '/account',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: only what belongs to the caller',
      handle: show,
    },
  ]);
}
