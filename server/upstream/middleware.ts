// What a sign-in with another provider leaves in a browser, and where it sends it: the cookie that the answer must come back
// with, the provider's page, and the page that says why it did not work.

import { z } from 'zod';
import { readCookie, setCookie } from '../http/cookies.ts';
import { configuredUrl, seeOther } from '../http/redirect.ts';
import type { Context } from '../http/route.ts';
import type { PlainToken } from '../lib/ids.ts';
import { createSealer } from '../lib/seal.ts';
import { createToken, parseToken } from '../lib/token.ts';
import { siteOf } from '../realms/middleware.ts';
import type { Failure, FailureReason, Started } from './upstream.ts';

const BROWSER_COOKIE = '__Host-qt-upstream';
const BROWSER_SECONDS = 600;
const OUTCOME_SECONDS = 3600;
const LONGEST_PATH = 3000;
/** RFC 6749 §4.1.2.1, for a realm's own failure page. */
const ERROR_CODES: Partial<Record<FailureReason, string>> = {
  cancelled: 'access_denied',
  unavailable: 'temporarily_unavailable',
  'provider-error': 'server_error',
};

export type Outcome = {
  reason: FailureReason;
  upstreamId: string;
  detail: string | null;
  path: string | null;
  retryAfterSeconds: number | null;
};
const outcomeSchema = z.object({
  r: z.string(),
  p: z.string(),
  d: z.string().nullable(),
  t: z.string().nullable(),
  s: z.number().nullable(),
});

/** The secret of this browser, which every attempt in it is bound to (security 158); null when it sent none. */
export function readBrowser(ctx: Context): PlainToken | null {
  const cookie = readCookie(ctx, BROWSER_COOKIE);
  return cookie.kind === 'one' ? parseToken(cookie.value) : null;
}

/** The same, made where there is none, and kept for another ten minutes: several tabs may be under way. */
export function keepBrowser(ctx: Context): PlainToken {
  const secret = readBrowser(ctx) ?? createToken();
  setCookie(ctx, { name: BROWSER_COOKIE, value: secret, maxAgeSeconds: BROWSER_SECONDS });
  return secret;
}

export type FailurePage = ReturnType<typeof createFailurePage>;

/** The way to the page that says why a sign-in did not work: the realm's own, or ours. */
export function createFailurePage(options: { secrets: readonly string[] }) {
  const sealer = createSealer({ secrets: options.secrets, purpose: 'upstream-outcome' });

  /** Sends the browser to the provider, or to the page that says why not. */
  async function follow(ctx: Context, upstreamId: string, started: Started): Promise<void> {
    if (started.ok) return seeOther(ctx, configuredUrl(started.url.href));
    return send(ctx, upstreamId, started);
  }

  async function send(ctx: Context, upstreamId: string, failure: Failure): Promise<void> {
    // Whoever is disabled is told no more than somebody whom we do not believe.
    const reason = failure.reason === 'refused' ? 'invalid' : failure.reason;
    const { login_failure_url: own } = siteOf(ctx).realm.settings;
    if (own !== null)
      return seeOther(
        ctx,
        configuredUrl(own, { error: ERROR_CODES[reason] ?? 'invalid_request', 'auth-provider': upstreamId, reason }),
      );
    const path = (failure.returnPath?.length ?? 0) > LONGEST_PATH ? null : failure.returnPath;
    const { detail, retryAfterSeconds } = failure;
    // Sealed, so that no link can make our page say what a stranger wrote.
    const sealed = await sealer.seal(
      { r: reason, p: upstreamId, d: detail, t: path, s: retryAfterSeconds },
      OUTCOME_SECONDS,
    );
    seeOther(ctx, `/login/failed?outcome=${sealed}`);
  }

  /** What the page is to say; null when it was opened without a sign-in before it. */
  async function read(sealed: string | undefined): Promise<Outcome | null> {
    const opened = outcomeSchema.safeParse(await sealer.open(sealed)).data;
    return (
      (opened && {
        reason: opened.r as FailureReason,
        upstreamId: opened.p,
        detail: opened.d,
        path: opened.t,
        retryAfterSeconds: opened.s,
      }) ??
      null
    );
  }

  return { follow, send, read };
}
