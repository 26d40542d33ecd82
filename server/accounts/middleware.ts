// Who is signed in: the question of every route that needs a reader.

import type { IncomingMessage } from 'node:http';
import { AppError } from '../http/errors.ts';
import type { Context } from '../http/route.ts';
import { isSiteOpen, siteOf } from '../realms/middleware.ts';
import { settingSeconds } from '../realms/realms.ts';
import { clearCredential, hasCredentialCookie, readCredential } from '../sessions/middleware.ts';
import type { Accounts, SignedIn } from './accounts.ts';

export type Reader = ReturnType<typeof createReader>;

/** Finds the reader behind a request. */
export function createReader(options: { accounts: Accounts }) {
  const found = new WeakMap<IncomingMessage, SignedIn | null>();

  /** Notes whom a request's credential has turned out to be of on its host, so that nobody looks again. */
  const noteFound = (request: IncomingMessage, signedIn: SignedIn | null) => void found.set(request, signedIn);

  /**
   * The reader who is signed in on this host, or null. A dead or contradictory cookie is cleared in the same answer.
   * Asked at most once per request.
   */
  async function find(ctx: Context): Promise<SignedIn | null> {
    if (ctx.state['signedIn'] !== undefined) return ctx.state['signedIn'] as SignedIn | null;
    const { domain } = siteOf(ctx);
    const presented = readCredential(ctx);
    // A session that was made while this node did not yet know that the client is disabled counts for nothing either.
    const early = found.get(ctx.req);
    const search = () => options.accounts.findSignedIn(presented, domain.host);
    const signedIn = isSiteOpen(ctx) ? (early === undefined ? await search() : early) : null;
    if (!signedIn && presented.kind !== 'none' && hasCredentialCookie(ctx)) clearCredential(ctx, domain.host);
    ctx.state['signedIn'] = signedIn;
    return signedIn;
  }

  /** The reader, or a refusal with 401. */
  async function require(ctx: Context): Promise<SignedIn> {
    const signedIn = await find(ctx);
    if (!signedIn) throw new AppError('unauthenticated');
    return signedIn;
  }

  /** The reader, if the last sign-in with a credential is recent enough for a dangerous act; else 403. */
  async function requireRecent(ctx: Context): Promise<SignedIn> {
    const signedIn = await require(ctx);
    const window = settingSeconds(siteOf(ctx).realm.settings.reauth_window);
    if (signedIn.session.ageSeconds > window) throw new AppError('reauth_required');
    return signedIn;
  }

  /** Whether a request carries anything that is, or was, or should be a credential. */
  const hasCredential = (ctx: Context): boolean => readCredential(ctx).kind !== 'none';

  /** Whether a request carries a credential of any kind, live or not, that contradicts itself. */
  const isContradictory = (ctx: Context): boolean =>
    readCredential(ctx).kind === 'both' && ctx.state['signedIn'] === null;

  return { noteFound, find, require, requireRecent, hasCredential, isContradictory };
}
