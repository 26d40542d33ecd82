// Signing in, and up, with a code or link that was sent to an e-mail address or a phone. Like every proof it ends in complete.ts.

import type { Asker, CodeAccounts, Letters, Requested } from '../accounts/accounts.ts';
import { type Account, type Contact, parseContact } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode, isOfBrowser } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import type { PlainToken } from '../lib/ids.ts';
import { hashToken } from '../lib/token.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Realm } from '../realms/realms.ts';
import type { Attempt, Completed, Proof } from './complete.ts';
import { codeTries, signUpTakes } from './throttle.ts';

export type CodeSignInRefused =
  | { ok: false; reason: 'wrong' }
  /** The code was right, and nobody has that address or number; the code still counts. */
  | { ok: false; reason: 'no-account' }
  /** The code was right, and somebody has that address or number already. */
  | { ok: false; reason: 'taken' }
  | { ok: false; reason: 'closed' }
  | { ok: false; reason: 'throttled'; retryAfterSeconds: number };
/** A link that was opened where nobody waits for it: its code is typed where somebody does. */
export type ShowCode = { ok: false; reason: 'other-browser'; code: string };

type Typed = { email?: string | null | undefined; phone?: string | null | undefined };
export type CodeSignIn = ReturnType<typeof createCodeSignIn>;

/** @param options isMaker: whether this browser has signed in to the account with its password before */
export function createCodeSignIn(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  challenges: Challenges;
  letters: Letters;
  codeAccounts: CodeAccounts;
  complete(attempt: Attempt, proof: Proof): Promise<Completed>;
  isMaker(attempt: Attempt, account: Account): Promise<boolean>;
}) {
  const { db, audit, rateLimits, challenges, letters, codeAccounts, complete } = options;
  const isOffered = (realm: Realm) => realm.settings.sign_in_methods.some((method) => method !== 'password');

  /** Sends what the hosted page waits for: a link where the realm prefers links, a code else. One answer for everybody. */
  async function start(
    realm: Realm,
    given: Typed & { handle: string | null },
    asker: Asker,
  ): Promise<Requested | { ok: false; reason: 'invalid-contact' | 'not-offered' }> {
    if (!isOffered(realm)) return { ok: false, reason: 'not-offered' };
    const contact = parseContact(realm, given);
    if (!contact) return { ok: false, reason: 'invalid-contact' };
    const isLink = contact.kind === 'email' && realm.settings.sign_in_methods.includes('link');
    return letters.request(realm, contact, { purpose: 'sign-in', isLink, handle: given.handle }, asker);
  }

  /** Signs in with the code of the hosted page, in the browser that asked for it. @param browser its cookie */
  async function finish(
    attempt: Attempt,
    given: Typed & { code: string; browser: PlainToken },
  ): Promise<Completed | CodeSignInRefused> {
    const proven = await prove(attempt, given, 'sign-in');
    if (!proven.ok) return proven;
    const { challenge, account } = proven;
    if (!account || !isOfBrowser(challenge, given.browser)) return fail(attempt, account, 'other-browser');
    return enter(attempt, proven.contact, { challenge, account });
  }

  /** Signs in by the link, in the browser that asked for it; in any other it shows the code that goes with it. */
  async function finishByLink(
    attempt: Attempt,
    given: { token: string; browser: PlainToken | null },
  ): Promise<Completed | ShowCode | { ok: false; reason: 'consumed' | 'expired' | 'unknown' }> {
    const looked = await lookAtLink(attempt.realm, given);
    if (!looked.ok) return looked;
    const { challenge } = looked;
    const contact = parseContact(attempt.realm, { email: challenge.recipient });
    const account = contact && (await codeAccounts.find(db, attempt.realm.id, contact));
    if (!contact || !account || account.id !== challenge.accountId) return { ok: false, reason: 'unknown' };
    const entered = await enter(attempt, contact, { challenge, account });
    return entered.ok || entered.reason === 'unverified' ? entered : { ok: false, reason: 'consumed' };
  }

  /** What the page behind the link shows before its button is pressed; changes nothing. */
  async function lookAtLink(realm: Realm, given: { token: string; browser: PlainToken | null }) {
    const looked = await challenges.look(realm.id, 'sign-in', given.token);
    if (looked.kind !== 'open') return { ok: false as const, reason: looked.kind };
    const { challenge } = looked;
    if (!isOfBrowser(challenge, given.browser))
      return { ok: false as const, reason: 'other-browser' as const, code: challenges.showCode(given.token) };
    return { ok: true as const, challenge, handle: challenge.payload['handle'] ?? null };
  }

  /** POST /login of the session-sharing API. @param given mayCreate: makes an account for whoever has none */
  async function signIn(
    attempt: Attempt,
    given: Typed & { code: string; mayCreate: boolean },
  ): Promise<Completed | CodeSignInRefused> {
    const proven = await prove(attempt, given, 'one-time-code');
    if (!proven.ok) return proven;
    const { contact, challenge, account } = proven;
    if (account) return enter(attempt, contact, { challenge, account });
    return given.mayCreate ? create(attempt, contact, challenge) : { ok: false, reason: 'no-account' };
  }

  /** POST /signup of the session-sharing API. */
  async function signUp(attempt: Attempt, given: Typed & { code: string }): Promise<Completed | CodeSignInRefused> {
    const proven = await prove(attempt, given, 'one-time-code');
    if (!proven.ok) return proven;
    return proven.account ? { ok: false, reason: 'taken' } : create(attempt, proven.contact, proven.challenge);
  }

  type ProvenContact = { ok: true; contact: Contact; challenge: Challenge; account: Account | null };

  /** One answer for a wrong code, an address that is nobody's and one that cannot be. */
  async function prove(
    attempt: Attempt,
    given: Typed & { code: string },
    purpose: 'sign-in' | 'one-time-code',
  ): Promise<ProvenContact | CodeSignInRefused> {
    const { realm } = attempt;
    const contact = parseContact(realm, given);
    if (!isOffered(realm) || !contact || !isCode(given.code)) return { ok: false, reason: 'wrong' };
    const takes = codeTries(realm, attempt.address);
    const taken = await rateLimits.take(takes);
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const account = await codeAccounts.find(db, realm.id, contact);
    const accountId = account?.id ?? null;
    const of = { realmId: realm.id, purpose, accountId, recipient: contact.canonical };
    const challenge = await challenges.checkCode(of, given.code);
    // A code that was sent when nobody had the address still proves it, if somebody signed up with it meanwhile.
    if (!challenge || (challenge.accountId !== null && challenge.accountId !== accountId))
      return fail(attempt, account, 'wrong-code');
    await rateLimits.giveBack(takes);
    return { ok: true, contact, challenge, account };
  }

  async function fail(
    attempt: Attempt,
    account: Account | null,
    reason: string,
  ): Promise<{ ok: false; reason: 'wrong' }> {
    const { realm, address } = attempt;
    const accountId = account?.id ?? null;
    await audit.record(db, { type: 'sign-in.failed', realmId: realm.id, accountId, address, detail: { reason } });
    return { ok: false, reason: 'wrong' };
  }

  async function enter(
    attempt: Attempt,
    contact: Contact,
    proven: { challenge: Challenge; account: Account },
  ): Promise<Completed | CodeSignInRefused> {
    const isMaker = await options.isMaker(attempt, proven.account);
    const used = await codeAccounts.use(attempt.realm, { ...proven, contact, isMaker }, attempt.address);
    if (!used) return fail(attempt, proven.account, 'used');
    // Its session of before may be gone: the account was reclaimed.
    const current = isMaker || attempt.current?.account.id !== proven.account.id ? attempt.current : null;
    return complete({ ...attempt, current }, { accountId: proven.account.id, amr: [amrOf(contact)] });
  }

  async function create(
    attempt: Attempt,
    contact: Contact,
    challenge: Challenge,
  ): Promise<Completed | CodeSignInRefused> {
    const { realm } = attempt;
    if (realm.settings.signup === 'closed') return { ok: false, reason: 'closed' };
    const taken = await rateLimits.take(signUpTakes(realm, attempt.address));
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    const created = await codeAccounts.create(realm, { challenge, contact }, attempt.address);
    if (!created) return fail(attempt, null, 'used');
    return complete(attempt, { accountId: created.id, amr: [amrOf(contact)] });
  }

  return { start, finish, finishByLink, lookAtLink, signIn, signUp };
}

/** RFC 8176 §2: `sms` for a text message to a known number; for a code in an e-mail there is only `otp`. */
const amrOf = (contact: Contact): string => (contact.kind === 'phone' ? 'sms' : 'otp');

/** The stored form of a browser's cookie. */
export const browserHashOf = (browser: PlainToken) => hashToken(browser);
