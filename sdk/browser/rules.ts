// The decisions of the browser script without a browser: which URL to go to, which markers to take off, whether to ask
// silently. Pure, so that test/sdk can try every row. Endpoints: contract.md 3.1 (authorize) and 3.3 (automatic sign-in).

export const api = '/api/auth/v1';
/** Set by the server on the way back from a silent question. */
export const answerMarker = 'logged_in';
/** Set by us on the page that a sign-in popup comes back to. */
export const popupMarker = 'causeway_popup';

export interface PageLocation {
  origin: string;
  pathname: string;
  search: string;
  hash: string;
}

function parameterName(part: string): string {
  const name = part.split('=', 1)[0] ?? '';
  try {
    return decodeURIComponent(name.replace(/\+/g, ' '));
  } catch {
    return name;
  }
}

/** Whether the query string (with its `?`) has the parameter, whatever its value. */
export function hasParameter(search: string, name: string): boolean {
  return search
    .slice(1)
    .split('&')
    .some((part) => parameterName(part) === name);
}

/** The query string without the named parameters; all others keep their order and encoding byte for byte. */
export function stripParameters(search: string, names: readonly string[]): string {
  if (!names.some((name) => hasParameter(search, name))) return search;
  const kept = search
    .slice(1)
    .split('&')
    .filter((part) => !names.includes(parameterName(part)))
    .join('&');
  return kept && `?${kept}`;
}

/** Address of the page without our own two markers, so that neither travels in a callback or a shared link. */
export function cleanPageUrl(page: PageLocation): string {
  return page.origin + page.pathname + stripParameters(page.search, [answerMarker, popupMarker]) + page.hash;
}

/** The same page, marked as the landing page of a sign-in popup. */
export function popupPageUrl(page: PageLocation): string {
  const search = stripParameters(page.search, [answerMarker, popupMarker]);
  return `${page.origin}${page.pathname}${search}${search ? '&' : '?'}${popupMarker}=1${page.hash}`;
}

/**
 * `target` as an absolute URL without our markers, or null when it leaves this origin. A page may hand us a value from its
 * own query: this keeps `javascript:`, `blob:` and other sites out of `location.assign`.
 */
export function sameOriginUrl(target: string, page: PageLocation): string | null {
  try {
    const url = new URL(target, page.origin + page.pathname + page.search);
    return `${url.protocol}//${url.host}` === page.origin ? cleanPageUrl(url) : null;
  } catch {
    return null;
  }
}

/** Where the browser goes to sign in (`authorize`) or to ask silently (`auto-sso/authorize`), and then to `callbackUri`. */
export function authorizeUrl(
  endpoint: 'authorize' | 'auto-sso/authorize',
  clientId: string,
  callbackUri: string,
): string {
  const encode = encodeURIComponent;
  return (
    `${api}/oauth/${endpoint}?client_id=${encode(clientId)}` +
    `&redirect_uri=${encode(`${new URL(callbackUri).origin + api}/oauth/token`)}` +
    `&callback_uri=${encode(callbackUri)}&response_type=code`
  );
}

/** A short test, for courtesy: the server has its own guard. `[^u]` lets Cubot telephones through. */
export function isBot(userAgent: string): boolean {
  return /[^u]bot|crawl|spider|slurp|headless|lighthouse|externalhit|preview/i.test(userAgent);
}

/** Quiet period in ms. Less than a minute would let every page view hop, so it is the least; anything unreadable is 10. */
export function quietMs(minutes: number | string | null | undefined): number {
  const value = Number(minutes ?? 10);
  return Math.max(1, Number.isFinite(value) ? value : 10) * 60_000;
}

/** Whether the time stamp lies within `periodMs` of now; abs, so that a clock set back does not block for ever. */
export function isRecent(stamp: number, now: number, periodMs: number): boolean {
  return stamp > 0 && Math.abs(now - stamp) < periodMs;
}

export interface AutoFacts {
  clientId: string;
  isFramed: boolean;
  isBot: boolean;
  isPopup: boolean;
  hasCookies: boolean;
  /** This very page came back with an answer. */
  wasAnswered: boolean;
  /** The reader signed out on this site and has not signed in since. */
  hasSignedOut: boolean;
  /** This page address has asked before in this tab. */
  hasHopped: boolean;
  /** Epoch ms, 0 when never: last question of this browser, last answer to this tab. */
  triedAt: number;
  answeredAt: number;
}

/** Whether a page whose reader is known to be signed out may ask the auth domain silently. `now`, `quietMs` in ms. */
export function mayAutoSignIn(facts: AutoFacts, { now, quietMs }: { now: number; quietMs: number }): boolean {
  return !(
    !facts.clientId ||
    facts.isFramed ||
    facts.isBot ||
    facts.isPopup ||
    !facts.hasCookies ||
    facts.wasAnswered ||
    facts.hasSignedOut ||
    facts.hasHopped ||
    isRecent(facts.triedAt, now, quietMs) ||
    isRecent(facts.answeredAt, now, quietMs)
  );
}

/** Pause before asking again, in ms: 5 s doubling to 5 min, spread over half of it so that tabs do not come back as one. */
export function backoffMs(failures: number, random: number): number {
  return Math.min(300_000, 5_000 * 2 ** failures) * (0.5 + random / 2);
}
