// What stands before every page that changes factors: a recent sign-in, made with the factor that there is (security 169).

import type { SignedIn } from '../accounts/accounts.ts';
import type { OwnPath } from '../http/redirect.ts';
import type { Context } from '../http/route.ts';
import type { Login } from '../login/login.ts';
import { withReturn } from '../login/middleware.ts';
import { mayChangeFactors } from '../mfa/middleware.ts';
import { siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';

/** Where a reader has to go first, to come back to a page then; null when nothing is missing. */
export async function signInFirst(
  ctx: Context,
  { login, signedIn, path }: { login: Login; signedIn: SignedIn | null; path: OwnPath },
): Promise<OwnPath | null> {
  const { realm, domain } = siteOf(ctx);
  const isRecent = signedIn !== null && signedIn.session.ageSeconds <= settingSeconds(realm.settings.reauth_window);
  if (isRecent && mayChangeFactors(signedIn)) return null;
  const since = signedIn?.session.authenticatedAt.getTime() ?? 0;
  const back = await login.makeReturn(domain.host, { path, client: null, targets: [], since });
  return withReturn(isRecent ? '/login/second-factor' : '/login', { handle: back });
}
