// The gate of the account page. Who is not signed in, or not lately enough for what a form asks, is taken to the sign-in page
// and comes back to that very form with what was typed: never a bare refusal. What was typed travels encrypted in the way back,
// for the same account alone and for a quarter of an hour.

import { z } from 'zod';
import type { SignedIn } from '../accounts/accounts.ts';
import type { Reader } from '../accounts/middleware.ts';
import { browserStateOf } from '../http/browser_state.ts';
import { hasCsrfToken } from '../http/csrf.ts';
import { readQuery } from '../http/query.ts';
import { type OwnPath, seeOther } from '../http/redirect.ts';
import type { Context } from '../http/route.ts';
import { createVault } from '../lib/seal.ts';
import type { Login } from '../login/login.ts';
import { withReturn } from '../login/middleware.ts';
import { mayChangeFactors } from '../mfa/middleware.ts';
import { siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';

const KEPT_SECONDS = 900;
/** A way back is part of an address, and must stay short enough for one. */
const LONGEST_KEPT = 3500;
const keptSchema = z.object({
  account: z.string().nullable(),
  until: z.number(),
  fields: z.record(z.string(), z.string()),
});
const noteSchema = z.object({ kind: z.string().max(40), value: z.string().max(400) });

/** What a form of the account page asks of its reader before it may act. */
export type Posted = {
  form: { csrf_token: string };
  /** The page with the form. */
  path: OwnPath;
  needs: 'session' | 'recent-sign-in';
  /** What was typed, without secrets. */
  kept?: Record<string, string>;
  /** Shows the form again, renewed, with what was typed. */
  again(signedIn: SignedIn): unknown;
};

export type Gate = ReturnType<typeof createGate>;

export function createGate(options: { login: Login; reader: Reader; secrets: readonly string[] }) {
  const { login, reader } = options;
  const vault = createVault({ secrets: options.secrets, purpose: 'account-form' });

  /** The reader of a page; null when the browser was sent to sign in first. */
  async function enter(ctx: Context, path: OwnPath): Promise<SignedIn | null> {
    const signedIn = await reader.find(ctx);
    if (!signedIn) await detour(ctx, null, path);
    return signedIn;
  }

  /** The same for what is shown to somebody alone who has signed in a moment ago. */
  async function enterRecent(ctx: Context, path: OwnPath): Promise<SignedIn | null> {
    const signedIn = await reader.find(ctx);
    if (signedIn && isProven(ctx, signedIn)) return signedIn;
    await detour(ctx, signedIn, path);
    return null;
  }

  /** The reader whose form may act; null when something else was answered. */
  async function admit(ctx: Context, posted: Posted): Promise<SignedIn | null> {
    const signedIn = await reader.find(ctx);
    const isOwnForm = hasCsrfToken(ctx, posted.form.csrf_token);
    if (signedIn && !isOwnForm) {
      ctx.status = 403;
      await posted.again(signedIn);
      return null;
    }
    if (signedIn && (posted.needs === 'session' || isProven(ctx, signedIn))) return signedIn;
    const kept = isOwnForm ? await keep(signedIn, posted.kept ?? {}) : null;
    await detour(ctx, signedIn, kept ? `${posted.path}?kept=${kept}` : posted.path);
    return null;
  }

  const isRecent = (ctx: Context, { session }: SignedIn): boolean =>
    session.ageSeconds <= settingSeconds(siteOf(ctx).realm.settings.reauth_window);
  /** Security 169: lately, and with the second factor where there is one. */
  const isProven = (ctx: Context, signedIn: SignedIn): boolean => isRecent(ctx, signedIn) && mayChangeFactors(signedIn);

  async function detour(ctx: Context, signedIn: SignedIn | null, path: OwnPath): Promise<void> {
    const since = signedIn?.session.authenticatedAt.getTime() ?? 0;
    const to = { path, client: null, targets: [], since };
    const handle = await login.makeReturn(siteOf(ctx).domain.host, to);
    seeOther(ctx, withReturn(signedIn && isRecent(ctx, signedIn) ? '/login/second-factor' : '/login', { handle }));
  }

  async function keep(signedIn: SignedIn | null, fields: Record<string, string>): Promise<string | null> {
    if (Object.keys(fields).length === 0) return null;
    const kept = { account: signedIn?.account.id ?? null, until: Date.now() + KEPT_SECONDS * 1000, fields };
    const sealed = await vault.lock(JSON.stringify(kept satisfies z.infer<typeof keptSchema>));
    return sealed.length > LONGEST_KEPT ? null : sealed;
  }

  /** What this reader had typed before signing in again; null when there is nothing. */
  async function readKept(ctx: Context, { account }: SignedIn): Promise<Record<string, string> | null> {
    const { kept: sealed } = readQuery(ctx, ['kept']);
    if (!sealed || sealed.length > LONGEST_KEPT) return null;
    const kept = keptSchema.safeParse(JSON.parse((await vault.unlock(sealed)) ?? 'null')).data;
    if (!kept || kept.until < Date.now()) return null;
    return kept.account === null || kept.account === account.id ? kept.fields : null;
  }

  return { enter, enterRecent, admit, readKept };
}

/** What the next page says of what was just done. @param value such as an address */
export function leaveNote(ctx: Context, kind: string, value = ''): void {
  browserStateOf(ctx)['accountNote'] = { kind, value };
}

/** The same, once; null when there is none. */
export function takeNote(ctx: Context): { kind: string; value: string } | null {
  const note = noteSchema.safeParse(browserStateOf(ctx)['accountNote']).data ?? null;
  if (note) delete browserStateOf(ctx)['accountNote'];
  return note;
}
