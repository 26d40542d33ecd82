// Proof that the address of an account is its own, by a link or a code that was sent there.

import type { Audit } from '../audit/audit.ts';
import { type Challenge, type Challenges, isCode } from '../challenges/challenges.ts';
import type { Database } from '../db/database.ts';
import type { CallbackUri, PlainToken } from '../lib/ids.ts';
import { checkCallback } from '../lib/url.ts';
import type { Realm, Realms, Site } from '../realms/realms.ts';
import type { Account } from './accounts.ts';
import { parseContact } from './contact.ts';
import * as store from './contact_store.ts';
import type { Asker, Letters, Requested } from './letters.ts';

/** Published pages compare these words in the fragment that they are opened with. */
export type VerificationOutcome = 'email-verified' | 'token-consumed' | 'invalid-token' | 'internal-error';
export type Verified = {
  outcome: Exclude<VerificationOutcome, 'internal-error'>;
  /** Page of the publisher, still on a host of the realm; null when none was named. */
  redirectUrl: CallbackUri | null;
};

export type Verification = ReturnType<typeof createVerification>;

export function createVerification(options: {
  db: Database;
  audit: Audit;
  realms: Realms;
  challenges: Challenges;
  letters: Letters;
}) {
  const { db, audit, realms, challenges, letters } = options;

  /** Origins that a `redirect-url` may be on: of a site its own, of the auth domain every one of the realm (security 30). */
  async function originsOf({ realm, domain }: Site): Promise<string[]> {
    if (domain.role === 'client') return [domain.origin];
    return (await realms.listDomains(realm.id)).map(({ origin }) => origin);
  }

  /** Sends a link to an address that waits to be verified. One answer, whoever has the address. */
  async function request(
    site: Site,
    given: { email: string; redirectUrl: string | null; handle?: string | null },
    asker: Asker,
  ): Promise<Requested | { ok: false; reason: 'invalid-email' | 'invalid-redirect' }> {
    const contact = parseContact(site.realm, { email: given.email });
    if (!contact) return { ok: false, reason: 'invalid-email' };
    // Published clients send `/` for the front page.
    const wanted = given.redirectUrl === '/' ? `${site.domain.origin}/` : given.redirectUrl;
    const checked = wanted === null ? null : checkCallback(wanted, await originsOf(site));
    if (checked?.ok === false) return { ok: false, reason: 'invalid-redirect' };
    return letters.request(
      site.realm,
      contact,
      { purpose: 'verify-email', redirectUrl: checked?.callback ?? null, handle: given.handle ?? null },
      asker,
    );
  }

  /** What the page behind the link shows before its button is pressed; changes nothing. */
  async function look(realm: Realm, token: string) {
    const looked = await challenges.look(realm.id, 'verify-email', token);
    if (looked.kind === 'unknown') return looked;
    const { challenge } = looked;
    const { recipient: email, payload } = challenge;
    return {
      kind: looked.kind,
      email,
      redirectUrl: await redirectOf(realm, challenge),
      handle: payload['handle'] ?? null,
    };
  }

  /** The button of that page. */
  async function confirm(realm: Realm, token: string, address: string | null): Promise<Verified> {
    const looked = await challenges.look(realm.id, 'verify-email', token);
    if (looked.kind === 'unknown') return { outcome: 'invalid-token', redirectUrl: null };
    const redirectUrl = await redirectOf(realm, looked.challenge);
    if (looked.kind !== 'open')
      return { outcome: looked.kind === 'consumed' ? 'token-consumed' : 'invalid-token', redirectUrl };
    const verified = await use(realm, looked.challenge, address);
    return { outcome: verified ? 'email-verified' : 'token-consumed', redirectUrl };
  }

  /** The same by the typed code, in the browser that made the account. @param browser its cookie */
  async function confirmByCode(
    realm: Realm,
    given: { browser: PlainToken; code: string },
    address: string | null,
  ): Promise<Account | null> {
    const made = await challenges.findOfBrowser(realm.id, 'sign-up', given.browser);
    if (!made || !isCode(given.code)) return null;
    const { accountId, recipient } = made;
    const challenge = await challenges.checkCode(
      { realmId: realm.id, purpose: 'verify-email', accountId, recipient },
      given.code,
    );
    return challenge && use(realm, challenge, address);
  }

  async function use(realm: Realm, challenge: Challenge, address: string | null): Promise<Account | null> {
    const { accountId } = challenge;
    if (accountId === null) return null;
    return db.transaction(async (q) => {
      const account = await store.lockAccount(q, realm.id, accountId);
      if (!account || !(await challenges.consume(q, challenge))) return null;
      if (account.email?.toLowerCase() !== challenge.recipient) return null;
      const verified = await store.updateContact(q, accountId, { verificationStatus: 'email' });
      await audit.record(q, {
        type: 'account.verified',
        realmId: realm.id,
        accountId,
        address,
        detail: { what: 'email' },
      });
      return verified;
    });
  }

  /** Checked again: the site may have left the realm since. */
  async function redirectOf(realm: Realm, { payload }: Challenge): Promise<CallbackUri | null> {
    const stored = payload['redirect_url'];
    if (stored === undefined) return null;
    const origins = (await realms.listDomains(realm.id)).map(({ origin }) => origin);
    const checked = checkCallback(stored, origins);
    return checked.ok ? checked.callback : null;
  }

  return { request, look, confirm, confirmByCode };
}

/** The publisher's page with what became of the link in its fragment. */
export function withOutcome(url: CallbackUri, outcome: VerificationOutcome): CallbackUri {
  const target = new URL(url);
  target.hash = outcome;
  return target.href as CallbackUri;
}
