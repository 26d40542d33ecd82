// Signing in by navigation or popup, and signing out. Endpoints: GET /api/auth/v1/oauth/authorize and /logout
// (contract.md 3.1, 3.5). The silent question is in auto_sign_in.ts.

import {
  failure,
  get,
  openChannel,
  post,
  probe,
  settings,
  settleSignedOut,
  takeMarker,
  watch,
  watchPopup,
} from './browser_state.ts';
import { popupKey, read, signedOutKey, write } from './browser_storage.ts';
import type { SignInOptions, User } from './public_types.ts';
import * as rules from './rules.ts';

const popupFeatures = 'popup,width=480,height=720';
/** How long this window must have the focus back before a missing popup counts as closed. */
const graceTicks = 4;
const tickMs = 1_000;
/** No sign-in is waited for longer; one that comes later is still told to onChange. */
const popupLimitMs = 15 * 60_000;
/** A popup mark on a page counts only this long after a popup was really opened: a link with the mark does nothing. */
const popupMarkMs = 60 * 60_000;

function returnUrl(returnTo: string): string {
  const url = rules.sameOriginUrl(returnTo, location);
  if (!url) throw failure('returnTo must be a page of this site', 0);
  return url;
}

function authorizeUrl(callbackUri: string): string {
  if (!settings.clientId) throw failure('no client id: set data-client-id on the script tag or call configure()', 0);
  return rules.authorizeUrl('authorize', settings.clientId, callbackUri);
}

function navigate(url: string): Promise<User | null> {
  location.assign(url);
  // The page is on its way out; if the back button brings it back as it was, the answer is asked for then.
  return new Promise((resolve) => {
    addEventListener('pageshow', (event) => event.persisted && resolve(probe()));
  });
}

/**
 * Waits for the popup. The auth domain's Cross-Origin-Opener-Policy cuts us off from it: `closed` is then true from the
 * first page on, so it only proves that a popup is open (false), never that it is gone. So null is said when this window
 * had lost the focus, has had it back for four seconds, and the server says that nobody is signed in.
 */
function waitForPopup(popup: Window): Promise<User | null> {
  return new Promise((resolve) => {
    let hasLeft = false;
    let ticks = 0;
    const finish = (outcome: User | null | Promise<User | null>) => {
      clearInterval(ticker);
      clearTimeout(limit);
      unwatch();
      unwatchPopup();
      resolve(outcome);
    };
    const unwatch = watch((user) => user && finish(user));
    const unwatchPopup = watchPopup(() => finish(probe()));
    const limit = setTimeout(() => finish(probe()), popupLimitMs);
    const ticker = setInterval(() => {
      const isBack = document.hasFocus();
      hasLeft ||= !isBack;
      ticks = hasLeft && isBack && popup.closed ? ticks + 1 : 0;
      if (ticks === graceTicks) probe().then(finish, () => {});
      // Unknown is not "nobody": a failed probe waits another grace period.
      if (ticks > graceTicks) ticks = 0;
    }, tickMs);
  });
}

/** See Causeway.signIn. Everything up to `open` happens in the caller's click, or the browser would block the popup. */
export async function signIn(options: SignInOptions = {}): Promise<User | null> {
  const url = authorizeUrl(options.returnTo === undefined ? rules.cleanPageUrl(location) : returnUrl(options.returnTo));
  write(signedOutKey, '');
  if (options.popup && openChannel() && write(popupKey, Date.now())) {
    const popup = open(authorizeUrl(rules.popupPageUrl(location)), 'causeway', popupFeatures);
    if (popup && !popup.closed) return waitForPopup(popup);
  }
  return navigate(url);
}

/** See Causeway.signOut. */
export async function signOut(options: { returnTo?: string } = {}): Promise<void> {
  const url = options.returnTo === undefined ? '' : returnUrl(options.returnTo);
  // Before, so that a page that leaves at once has the mark; after, so that no answer still under way takes it off.
  write(signedOutKey, Date.now());
  const response = await get('/logout');
  if (!response.ok) throw failure(`/logout answered ${response.status}`, response.status);
  write(signedOutKey, Date.now());
  settleSignedOut();
  if (url) location.assign(url);
}

/** Takes the popup mark off the address; in a popup that was really opened for signing in, tells the opener and closes. */
export function landPopup(): boolean {
  if (!takeMarker(rules.popupMarker)) return false;
  const isOurs = rules.isRecent(Number(read(popupKey)), Date.now(), popupMarkMs);
  if (!isOurs || window.top !== window) return false;
  write(popupKey, '');
  post({ kind: 'popup' });
  // A moment for the message to leave; and a moment to see whether the browser let us close.
  setTimeout(() => close(), 100);
  setTimeout(() => {
    document.body.textContent = settings.closeText ?? 'You may close this window.';
  }, 1_000);
  return true;
}
