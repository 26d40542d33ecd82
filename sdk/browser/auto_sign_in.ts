// Automatic sign-in: when nobody is signed in here, ask the auth domain once, silently, by a top-level navigation to
// GET /api/auth/v1/oauth/auto-sso/authorize (contract.md 3.3). Collects the facts; rules.ts decides.

import { askedAt, known, settings, start, takeMarker, watch } from './browser_state.ts';
import { answeredKey, hopKey, read, signedOutKey, triedKey, write } from './browser_storage.ts';
import type { User } from './public_types.ts';
import * as rules from './rules.ts';

let isPopup = false;
let isDone = false;
let isEnabled = false;
let wasAnswered = false;

function mayHop(page: string, now: number): boolean {
  return rules.mayAutoSignIn(
    {
      clientId: settings.clientId,
      isFramed: window.top !== window,
      isBot: navigator.webdriver || rules.isBot(navigator.userAgent),
      isPopup,
      hasCookies: navigator.cookieEnabled,
      wasAnswered,
      hasSignedOut: !!read(signedOutKey),
      hasHopped: !!read(hopKey + page),
      triedAt: Number(read(triedKey)),
      answeredAt: Number(read(answeredKey)),
    },
    { now, quietMs: rules.quietMs(settings.quietMinutes) },
  );
}

function hop(): void {
  const now = Date.now();
  const callbackUri = rules.cleanPageUrl(location);
  const page = callbackUri.split('#', 1)[0] ?? '';
  // Only with both marks in place: they are what keeps a reader from being sent round in circles.
  if (!mayHop(page, now) || !write(triedKey, now) || !write(hopKey + page, now)) return;
  location.replace(rules.authorizeUrl('auto-sso/authorize', settings.clientId, callbackUri));
}

// Only the first answer of a page counts: a reader who signs out while reading is not carried off the page.
function consider(user: User | null): void {
  // An answer older than the sign-out proves nothing.
  if (user && askedAt() > Number(read(signedOutKey))) write(signedOutKey, '');
  if (isDone || (!user && !isEnabled)) return;
  isDone = true;
  if (!user) hop();
}

/** Watches for the first answer; called once. `isPopupPage`: this page is a popup about to close. */
export function prepareAutoSignIn(isPopupPage: boolean): void {
  isPopup = isPopupPage;
  watch(consider);
}

/** Switches it on as soon as the document is really shown. Only then is `logged_in` ours to take off the address. */
export function enableAutoSignIn(): void {
  if (isEnabled) return;
  if ((document as Document & { prerendering?: boolean }).prerendering) {
    document.addEventListener('prerenderingchange', enableAutoSignIn, { once: true });
    return;
  }
  isEnabled = true;
  wasAnswered = takeMarker(rules.answerMarker);
  if (wasAnswered) write(answeredKey, Date.now());
  const user = known();
  if (user === undefined) start();
  else consider(user);
}
