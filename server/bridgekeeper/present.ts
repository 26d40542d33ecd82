// The dialect of the session-sharing API on the way out: kebab-case keys, numbers for ids and times, null for what is absent.

import type { Account, SignedIn } from '../accounts/accounts.ts';
import { ERRORS, type Refusal } from '../http/errors.ts';
import type { PasswordFault } from '../passwords/passwords.ts';
import type { SessionSummary } from '../sessions/sessions.ts';

const EMPTY_USER = [
  'id',
  'name',
  'email',
  'username',
  'created-at',
  'updated-at',
  'avatar-url',
  'avatar-s3-key',
  'first-name',
  'last-name',
  'slug',
  'communication-email',
  'phone-number',
  'login-phone-number',
  'metadata',
  'verification-status',
  'is-tfa-enabled',
] as const satisfies readonly (keyof ReturnType<typeof presentUser>)[];

/** An account as `user`: exactly these keys leave the server. */
export function presentUser(account: Account) {
  return {
    id: Number(account.id),
    name: account.name,
    email: account.email,
    username: account.username,
    'created-at': account.createdAt.getTime(),
    'updated-at': account.updatedAt.getTime(),
    'avatar-url': account.avatarUrl,
    'avatar-s3-key': account.avatarS3Key,
    'first-name': account.firstName,
    'last-name': account.lastName,
    slug: account.slug,
    'communication-email': account.communicationEmail,
    'phone-number': account.phoneNumber,
    'login-phone-number': account.loginPhoneNumber,
    metadata: account.metadata,
    'verification-status': account.verificationStatus,
    'is-tfa-enabled': account.isTfaEnabled,
  };
}

/** What an integration token says of a reader; `email-verified` is ours, for integrations that match by address. */
export function presentIntegrationClaims(account: Account, now: number) {
  const { id, name, email, 'first-name': first, 'last-name': last, 'avatar-url': avatar } = presentUser(account);
  const isVerified = email !== null && account.verificationStatus === 'email';
  const profile = { id, name, email, 'first-name': first, 'last-name': last, 'avatar-url': avatar };
  return { ...profile, 'email-verified': isVerified, timestamp: now };
}

/** The answer of `GET /users/me`. */
export function presentMe({ account, session }: SignedIn) {
  return { user: presentUser(account), 'active-sessions-count': session.activeCount, source: 'bridgekeeper' };
}

/** One row of the list of sessions: a browser, with the domains on which it is signed in. */
export function presentSession(summary: SessionSummary, current: SignedIn) {
  return {
    id: summary.id,
    domain: summary.lastSeenHost,
    domains: summary.hosts,
    'created-at': summary.createdAt.getTime(),
    'last-seen-at': summary.lastSeenAt.getTime(),
    'user-agent': summary.userAgent,
    ip: summary.address,
    current: summary.id === current.session.id,
  };
}

/** What is wrong with a new password, after the name of its field. */
export function presentPasswordFault(fault: PasswordFault, minimum: number): string {
  const texts: Record<PasswordFault, string> = {
    missing: 'is missing',
    'too-short': `must have at least ${minimum} characters`,
    'too-long': 'is too long',
    common: 'is too easy to guess: it is much used, or made of your name, address or this site; choose another one',
    breached: 'is in a known leak of passwords; choose another one',
  };
  return texts[fault];
}

/** A failure. Published clients read the message at the top or inside `error`, so it stands in both places. */
export function presentFailure(refusal: Pick<Refusal, 'code' | 'description'>) {
  const message = refusal.description;
  return { message, error: refusal.code === 'reauth_required' ? { message, code: refusal.code } : { message } };
}

/** A failure of `reset-password`: a published screen takes any `message` at the top for success. */
export function presentBareFailure(refusal: Pick<Refusal, 'description'>) {
  return { error: { message: refusal.description } };
}

/** What a sign-up answers that must not tell whether it made an account: only what was typed. */
export function presentTypedUser(typed: { name: string | null; email: string; username: string | null }) {
  const empty = Object.fromEntries(EMPTY_USER.map((key) => [key, null]));
  return { ...empty, ...typed, 'is-tfa-enabled': false };
}

/** A failure of `authorize` asked by script (RFC 6749 §4.1.2.1 error codes); never with a `redirect_uri` key. */
export function presentAuthorizeFailure(refusal: Pick<Refusal, 'code' | 'description'>) {
  const { status } = ERRORS[refusal.code];
  const error =
    status >= 500
      ? 'temporarily_unavailable'
      : status === 403
        ? 'access_denied'
        : refusal.code === 'unknown_client'
          ? 'unauthorized_client'
          : 'invalid_request';
  return { error, error_description: refusal.description, message: refusal.description };
}
