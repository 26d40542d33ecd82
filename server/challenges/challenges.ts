// Challenges: proof that somebody reads an e-mail address or a phone. Each may be answered once, by the link that was sent or by
// the typed code, whichever is there; looking never uses one up, so that link scanners and prefetching browsers do no harm
// (security 9, 145 to 149).

import { createHmac, randomUUID } from 'node:crypto';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { AccountId, PlainToken, RealmId, TokenHash } from '../lib/ids.ts';
import { deriveKey } from '../lib/seal.ts';
import { createToken, hashToken, isSameHash, parseToken } from '../lib/token.ts';
import { KEPT, PURPOSES, type Purpose, subjectOf } from './purposes.ts';
import * as store from './store.ts';

export { PURPOSES, type Purpose } from './purposes.ts';

/** Guesses at one code: 5 of a million. */
export const MOST_TRIES = 5;
const CODE_FORM = /^\d{6}$/;

export type Challenge = {
  id: string;
  realmId: RealmId;
  /** Null for somebody who has no account yet. */
  accountId: AccountId | null;
  purpose: Purpose;
  /** Canonical e-mail address or E.164 number that it was sent to. */
  recipient: string;
  /** Hash of the cookie of the browser that asked; null when any may answer. */
  browserHash: Buffer | null;
  payload: Record<string, string>;
};
/** What is sent; neither is stored. */
export type Secrets = { code: string; token: PlainToken };
/** What a link turns out to be. */
export type Looked =
  | { kind: 'open'; challenge: Challenge }
  | { kind: 'consumed'; challenge: Challenge }
  | { kind: 'expired'; challenge: Challenge }
  | { kind: 'unknown' };

export type Challenges = ReturnType<typeof createChallenges>;

/** The challenges of this server. @param options secrets: newest first; the first makes codes, all verify */
export function createChallenges(options: { db: Database; secrets: readonly string[] }) {
  const { db } = options;
  const keys = options.secrets.map((secret) => deriveKey(secret, 'challenge-code'));
  const newestKey = keys[0];
  if (!newestKey) throw new Error('createChallenges needs at least one secret');

  /**
   * Makes a challenge; an older one of the same purpose and subject is void from then on.
   * @param draft browserHash: of the cookie of the browser that asks
   */
  async function create(
    q: Queryable,
    draft: {
      realmId: RealmId;
      accountId: AccountId | null;
      purpose: Purpose;
      recipient: string;
      browserHash?: TokenHash | null;
      payload?: Record<string, string>;
    },
  ): Promise<Secrets> {
    const { purpose } = draft;
    const { codeSeconds, linkSeconds } = PURPOSES[purpose];
    const id = randomUUID();
    const token = createToken();
    const code = codeOf(newestKey as Uint8Array, token);
    await store.putChallenge(q, {
      id,
      realmId: draft.realmId,
      accountId: draft.accountId,
      purpose,
      subject: subjectOf(purpose, draft),
      recipient: draft.recipient,
      codeHash: codeSeconds === null ? null : hashCode(newestKey as Uint8Array, id, code),
      linkHash: linkSeconds === null ? null : hashToken(token),
      browserHash: draft.browserHash ?? null,
      payload: draft.payload ?? {},
      codeSeconds: codeSeconds ?? 0,
      seconds: Math.max(codeSeconds ?? 0, linkSeconds ?? 0),
    });
    return { code, token };
  }

  /**
   * Judges a typed code; right ones are not used up yet (`consume`). The try is counted and committed before the code is
   * looked at, whatever becomes of the caller.
   */
  async function checkCode(
    of: { realmId: RealmId; purpose: Purpose; accountId: AccountId | null; recipient: string },
    code: string,
  ): Promise<Challenge | null> {
    const subject = subjectOf(of.purpose, of);
    const found = await store.countTry(db, {
      realmId: of.realmId,
      purpose: of.purpose,
      subject,
      mostTries: MOST_TRIES,
    });
    if (!found?.codeHash || found.recipient !== of.recipient) return null;
    const { codeHash, ...challenge } = found;
    const isRight = keys.some((key) => isSameHash(codeHash, hashCode(key, found.id, code)));
    return isRight ? challenge : null;
  }

  /** The code that goes with a link, for whoever opens the link in another browser than the one that waits for it. */
  function showCode(token: string): string {
    return codeOf(newestKey as Uint8Array, token);
  }

  /** What a link leads to; changes nothing. A token of another purpose is unknown. */
  async function look(realmId: RealmId, purpose: Purpose, token: string | null | undefined): Promise<Looked> {
    const parsed = parseToken(token);
    const found = parsed ? await store.findByLink(db, realmId, hashToken(parsed)) : null;
    if (!found || found.challenge.purpose !== purpose) return { kind: 'unknown' };
    const { codeHash: _hash, ...challenge } = found.challenge;
    if (found.isConsumed) return { kind: 'consumed', challenge };
    return { kind: found.isExpired ? 'expired' : 'open', challenge };
  }

  /** The open challenge that a browser's cookie belongs to; null when there is none. */
  async function findOfBrowser(realmId: RealmId, purpose: Purpose, browser: PlainToken): Promise<Challenge | null> {
    const found = await store.findByBrowser(db, { realmId, purpose, browserHash: hashToken(browser) });
    if (!found) return null;
    const { codeHash: _hash, ...challenge } = found;
    return challenge;
  }

  /**
   * Uses a challenge up, in the transaction of what it allows. Lock the account first: everything that voids challenges
   * holds its row, and two orders would be a deadlock.
   * @returns false when it was used, expired or replaced meanwhile
   */
  const consume = (q: Queryable, challenge: Pick<Challenge, 'id'>): Promise<boolean> =>
    store.consumeChallenge(q, challenge.id);

  /** Voids what an account has under way, because its password or address changed; the way back of an owner stays. */
  const voidAllOf = (q: Queryable, accountId: AccountId): Promise<void> => store.deleteOpenOf(q, accountId, KEPT);

  /** Voids those of the same purpose and account that were made after one. */
  const voidSince = (q: Queryable, challenge: Challenge): Promise<void> => store.deleteSince(q, challenge);

  const jobs: readonly Job[] = [{ name: 'challenges.sweep', everySeconds: 600, run: store.deleteExpired }];

  return { create, checkCode, showCode, look, findOfBrowser, consume, voidAllOf, voidSince, jobs };
}

/** A code as it must be typed: six digits, nothing around them. */
export function isCode(text: string): boolean {
  return CODE_FORM.test(text);
}

/** Whether a challenge was asked for by the browser with this cookie. */
export function isOfBrowser(challenge: Challenge, browser: PlainToken | null): boolean {
  return browser !== null && challenge.browserHash !== null && isSameHash(challenge.browserHash, hashToken(browser));
}

/** Six digits out of 256 random bits: who has the link can be shown its code, which is stored nowhere. */
function codeOf(key: Uint8Array, token: string): string {
  const number = createHmac('sha256', key).update(`code ${token}`).digest().readUIntBE(0, 6) % 1_000_000;
  return String(number).padStart(6, '0');
}

/** Keyed, because a million codes are tried in a second; bound to its challenge, so that equal codes do not look equal. */
function hashCode(key: Uint8Array, id: string, code: string): Buffer {
  return createHmac('sha256', key).update(`${id} ${code}`).digest();
}
