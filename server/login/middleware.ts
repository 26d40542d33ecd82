// The edge of a sign-in: what a request says of its sender, and what a browser keeps after it.

import { z } from 'zod';
import type { Asker } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { formField } from '../http/body.ts';
import { browserStateOf } from '../http/browser_state.ts';
import { clearCookie, readCookie, setCookie } from '../http/cookies.ts';
import { csrfToken, hasBrowserState, hasCsrfToken, renewCsrf } from '../http/csrf.ts';
import { AppError, clientGone } from '../http/errors.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import type { Context } from '../http/route.ts';
import { asSessionId, type PlainToken, type RealmId, type SessionId } from '../lib/ids.ts';
import { createToken, hashToken, parseToken } from '../lib/token.ts';
import type { PasskeyRefused } from '../mfa/mfa.ts';
import { clearChallenge, keepChallenge } from '../mfa/middleware.ts';
import {
  addressOf,
  brandedClientOf,
  isSiteOpen,
  languageOf,
  noteBrandOf,
  type SitePages,
  siteOf,
} from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { setCredential } from '../sessions/middleware.ts';
import { HELD_SECONDS } from '../sessions/sessions.ts';
import { DEVICE_LIFETIME_SECONDS } from './device.ts';
import type { Attempt, Login, OverLimit, ReturnTo, SecondFactorNeeded, SignedInNow, Unverified } from './login.ts';

const HELD_COOKIE = '__Host-qt-held';
const DEVICE_COOKIE = '__Host-qt-device';
const WAITING_COOKIE = '__Host-qt-waiting';
const WAITING_SECONDS = 86_400;
/** How long the page after signing out still tells which sites it reached. */
const SIGNED_OUT_SECONDS = 3600;
const sentState = z.object({
  purpose: z.enum(['sign-in', 'reset-password', 'verify-email']),
  to: z.string().max(320),
  at: z.number(),
  wrong: z.int(),
});
const noteState = z.object({
  kind: z.enum(['password-changed', 'sent-again', 'code-proven']),
  /** An address, or the proof of a code. */
  value: z.string().max(2000),
});
const signedOutState = z.object({ id: z.uuid(), at: z.number() });

/** The browser that waits for a code or link, by its cookie; null when it waits for none. */
export function findWaiting(ctx: Context): PlainToken | null {
  const cookie = readCookie(ctx, WAITING_COOKIE);
  return cookie.kind === 'one' ? parseToken(cookie.value) : null;
}

/** What is sent next is bound to this browser: its cookie, or a new one for keepWaiting to set. */
export const waitingOf = (ctx: Context): PlainToken => findWaiting(ctx) ?? createToken();

/** Gives the browser its cookie; for everybody alike, whatever is sent to whom. */
export function keepWaiting(ctx: Context, browser: PlainToken): void {
  setCookie(ctx, { name: WAITING_COOKIE, value: browser, maxAgeSeconds: WAITING_SECONDS });
}

/** Who asks for a code or link. */
export function askerOf(ctx: Context, browser: PlainToken | null): Asker {
  return {
    address: addressOf(ctx),
    locale: languageOf(ctx),
    client: brandedClientOf(ctx),
    browserHash: browser && hashToken(browser),
  };
}

/** The facts of a try to sign in or up, from its request. @throws AppError unknown_client where the client is disabled */
export async function readAttempt(ctx: Context, reader: Reader): Promise<Attempt> {
  if (!isSiteOpen(ctx)) throw new AppError('unknown_client', { description: 'This domain has no enabled client.' });
  const { realm, domain } = siteOf(ctx);
  const device = readCookie(ctx, DEVICE_COOKIE);
  return {
    realm,
    host: domain.host,
    address: addressOf(ctx),
    userAgent: ctx.get('User-Agent') || null,
    locale: languageOf(ctx),
    client: brandedClientOf(ctx),
    browser: findWaiting(ctx),
    deviceCookie: device.kind === 'one' ? device.value : null,
    current: await reader.find(ctx),
    mayAsk: domain.role === 'auth' && ctx.state['answers'] === 'page',
    signal: clientGone(ctx),
  };
}

const OLD_QUIET_COOKIE = '__Host-qt-old';
const OLD_QUIET_SECONDS = 600;
/** Who signs out is not signed in again by what the former system left: as long as browsers keep a cookie. */
const OLD_SIGNED_OUT_SECONDS = 400 * 86_400;

/**
 * Signs a reader in by the session of the realm's former system, where one is there and vouched for. Asked at most once in ten
 * minutes, so that an endpoint that is away slows nobody down twice.
 */
export async function signInByOldSession(
  ctx: Context,
  using: { login: Pick<Login, 'adoptSession'>; reader: Reader },
): Promise<boolean> {
  const names = siteOf(ctx).realm.settings.old_session?.cookies ?? [];
  const cookies = names.flatMap((name) => {
    const cookie = readCookie(ctx, name);
    return cookie.kind === 'one' && cookie.value !== '' ? [{ name, value: cookie.value }] : [];
  });
  if (names.length === 0 || cookies.length < names.length || readCookie(ctx, OLD_QUIET_COOKIE).kind !== 'absent')
    return false;
  const attempt = await readAttempt(ctx, using.reader);
  // Who has signed in on this host in this browser before is past the former system, and may have signed out on purpose.
  if (attempt.current || attempt.deviceCookie !== null) return false;
  const completed = await using.login.adoptSession(attempt, cookies);
  // Whoever has a second factor, or must verify the address first, goes through the sign-in page.
  if (completed?.ok && completed.kind === 'session') {
    keepSignedIn(ctx, completed);
    return true;
  }
  setCookie(ctx, { name: OLD_QUIET_COOKIE, value: '1', maxAgeSeconds: OLD_QUIET_SECONDS });
  return false;
}

/** Gives the browser its session and remembers the device. */
export function keepSignedIn(ctx: Context, now: SignedInNow): void {
  // Cookies of a dead credential that were to be cleared must not be cleared after the new ones are set.
  ctx.remove('Set-Cookie');
  clearChallenge(ctx);
  if (findHeld(ctx)) clearHeld(ctx);
  setCredential(ctx, now.credential, settingSeconds(siteOf(ctx).realm.settings.session_absolute));
  setCookie(ctx, { name: DEVICE_COOKIE, value: now.deviceCookie, maxAgeSeconds: DEVICE_LIFETIME_SECONDS });
  ctx.state['signedIn'] = now.signedIn;
}

/**
 * Answers a form of the hosted pages after a proof: on to where the reader wanted to go, by 303, so that no browser sends what
 * was typed on to there (RFC 9700 §4.12).
 */
export function goOn(
  ctx: Context,
  completed: SignedInNow | SecondFactorNeeded | OverLimit,
  to: Pick<ReturnTo, 'path' | 'handle'> | null,
): void {
  switch (completed.kind) {
    case 'session':
      keepSignedIn(ctx, completed);
      renewCsrf(ctx);
      seeOther(ctx, to?.path ?? ('/' as OwnPath));
      break;
    case 'second-factor':
      keepChallenge(ctx, completed.token);
      seeOther(ctx, withReturn('/login/second-factor', to));
      break;
    case 'over-limit':
      // A second factor that was asked for before has been proven.
      clearChallenge(ctx);
      setCookie(ctx, { name: HELD_COOKIE, value: completed.token, maxAgeSeconds: HELD_SECONDS });
      seeOther(ctx, withReturn('/login/sessions', to));
      break;
    default:
      completed satisfies never;
  }
}

/** The address of a page of the sign-in, with the way back that the reader came with. */
export function withReturn(path: OwnPath, to: Pick<ReturnTo, 'handle'> | null): OwnPath {
  return to?.handle ? `${path}?request_handle=${encodeURIComponent(to.handle)}` : path;
}

/** What every form of a sign-in says and carries: the site that asked, the way back, the token of this browser. */
export const frameOf = (ctx: Context, to: ReturnTo | null) => ({
  clientName: to?.client?.name ?? null,
  clientHost: to?.client?.host ?? null,
  csrfToken: csrfToken(ctx),
  handle: to?.handle ?? null,
});

/** What such a form sends back of that, and whether it was renewed before. */
export const frameFields = { csrf_token: formField, handle: formField, renewed: formField };

/** Other providers of the realm, each with the address at which a sign-in begins (upstream/routes.ts). */
export const listProviders = (ctx: Context, to: ReturnTo | null) =>
  siteOf(ctx).realm.upstreams.map(({ id, name }) => ({ name, url: withReturn(`/login/with/${id}`, to) }));

/** Whether the reader is signed in, and recently enough where a new sign-in was asked for. */
export async function isSignedInFor(ctx: Context, reader: Reader, to: ReturnTo | null): Promise<boolean> {
  const signedIn = await reader.find(ctx);
  return (
    signedIn !== null &&
    (to?.since === undefined || to.since === 0 || signedIn.session.authenticatedAt.getTime() > to.since)
  );
}

/**
 * Whether a form has to be shown again with a new token, since it does not carry that of this browser; answers 403 then.
 * @throws AppError cookies_refused for one that was renewed a moment ago and still comes without our cookie: the browser keeps
 *   none, and would go on for ever
 */
export function mustRenew(ctx: Context, form: { csrf_token: string; renewed: string }, continueUrl: string): boolean {
  if (hasCsrfToken(ctx, form.csrf_token)) return false;
  if (form.renewed === '1' && !hasBrowserState(ctx)) throw new AppError('cookies_refused', { continueUrl });
  ctx.status = 403;
  return true;
}

/** The status of a sign-in that a passkey did not bring about, and what the page says of it. */
export function explainPasskey(ctx: Context, { reason }: PasskeyRefused | Unverified): 'unverified' | 'passkey' {
  ctx.status = reason === 'unverified' ? 403 : 401;
  return reason === 'unverified' ? 'unverified' : 'passkey';
}

/** Answers 429 and says when to come back; the seconds for the page. */
export function throttled(ctx: Context, retryAfterSeconds: number): number {
  ctx.status = 429;
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  ctx.set('Retry-After', String(seconds));
  return seconds;
}

/** The sign-in of this browser that waits for an answer about other sessions; null when none does. */
export function findHeld(ctx: Context): PlainToken | null {
  const cookie = readCookie(ctx, HELD_COOKIE);
  return cookie.kind === 'one' ? parseToken(cookie.value) : null;
}

export const clearHeld = (ctx: Context): void => clearCookie(ctx, HELD_COOKIE);

/** What a handle leads to; pages and letters of this request take the brand of the client that it names. */
export async function readReturnOf(
  ctx: Context,
  of: { login: Pick<Login, 'readReturn'>; clients: Pick<Clients, 'find'> },
  handle: string | null | undefined,
): Promise<ReturnTo | null> {
  const { realm, domain } = siteOf(ctx);
  const to = await of.login.readReturn(domain.host, handle);
  if (to?.client) noteBrandOf(ctx, await of.clients.find(realm.id, to.client.id ?? ''));
  return to;
}

/** Too many people at once is shown on the form, so that nothing typed is lost. */
export async function refuseWhenBusy<T>(ctx: Context, work: () => Promise<T>): Promise<T | 'busy'> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.refusal.code !== 'unavailable') throw error;
    ctx.status = 503;
    ctx.set(error.refusal.headers);
    return 'busy';
  }
}

/** What was typed, as an address or a number. */
export const contactOf = (typed: string) => (typed.includes('@') ? { email: typed } : { phone: typed });

/** What was sent to this browser's reader: for what, to which address or number, when, and how many wrong codes came since. */
export type Sent = z.infer<typeof sentState>;

/** Notes what was sent, for the page that asks for the code; no address carries it. */
export function noteSent(ctx: Context, sent: Pick<Sent, 'purpose' | 'to'>): void {
  browserStateOf(ctx)['sent'] = { ...sent, to: sent.to.trim(), at: Date.now(), wrong: 0 };
}

/** What was sent last for a purpose; null when nothing was. */
export function findSent(ctx: Context, purpose: Sent['purpose']): Sent | null {
  const sent = sentState.safeParse(browserStateOf(ctx)['sent']).data;
  return sent?.purpose === purpose ? sent : null;
}

/** Counts a wrong code. The real count is the challenge's; this one tells everybody the same, whoever has the address. */
export function noteWrongCode(ctx: Context, sent: Sent): Sent {
  const counted = { ...sent, wrong: sent.wrong + 1 };
  browserStateOf(ctx)['sent'] = counted;
  return counted;
}

/** Forgets what was sent: it was used. */
export function forgetSent(ctx: Context): void {
  delete browserStateOf(ctx)['sent'];
}

/** Words for the next page of this browser, and what stands in its first field. */
export type Note = z.infer<typeof noteState>;

export function leaveNote(ctx: Context, note: Note): void {
  browserStateOf(ctx)['note'] = note;
}

/** What was left for a page; it stays. */
export function findNote(ctx: Context, kind: Note['kind']): string | null {
  const note = noteState.safeParse(browserStateOf(ctx)['note']).data;
  return note?.kind === kind ? note.value : null;
}

/** The same, once. */
export function takeNote(ctx: Context, kind: Note['kind']): string | null {
  const value = findNote(ctx, kind);
  if (value !== null) delete browserStateOf(ctx)['note'];
  return value;
}

/** Notes in the state of this browser which session it has just ended; no address carries it. */
export function noteSignedOut(ctx: Context, id: SessionId): void {
  browserStateOf(ctx)['signedOut'] = { id, at: Math.floor(Date.now() / 1000) };
  if (siteOf(ctx).realm.settings.old_session)
    setCookie(ctx, { name: OLD_QUIET_COOKIE, value: '1', maxAgeSeconds: OLD_SIGNED_OUT_SECONDS });
}

/** The session that this browser has just ended; null when there is none, or not lately. */
function findSignedOut(ctx: Context): SessionId | null {
  const noted = signedOutState.safeParse(browserStateOf(ctx)['signedOut']).data;
  return noted && noted.at > Date.now() / 1000 - SIGNED_OUT_SECONDS ? asSessionId(noted.id) : null;
}

/** What the sites of an ended session were told of its end. */
export type Told = { listOfSession(realmId: RealmId, id: SessionId): Promise<{ name: string; state: string }[]> };
/** States in which a site is known to be signed out: by the same commit, or by its own word. */
const CONFIRMED = new Set(['ended', 'acknowledged']);

/** The page after signing out, of the auth domain and of client domains: which sites were reached, and where to go next. */
export function createSignedOutPage(options: { clients: Clients; pages: SitePages; backChannelLogout: Told }) {
  const { clients, pages, backChannelLogout } = options;

  async function render(ctx: Context, next: { continueUrl: OwnPath | null; signInUrl: OwnPath | null }): Promise<void> {
    const sites = await clients.listSites(siteOf(ctx).realm.id);
    pages.render(ctx, { view: 'login/signed_out', data: { ...next, sites, told: await findTold(ctx) } });
  }

  /** Which sites the sign-out of this browser reached, so far. */
  async function findTold(ctx: Context) {
    const session = findSignedOut(ctx);
    const receipts = session ? await backChannelLogout.listOfSession(siteOf(ctx).realm.id, session) : [];
    if (receipts.length === 0) return null;
    const sites = receipts.map(({ name, state }) => ({ name, state }));
    return { sites, total: sites.length, confirmed: sites.filter(({ state }) => CONFIRMED.has(state)).length };
  }

  return { render };
}
