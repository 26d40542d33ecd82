// Signing in with the session of a former system: limits, the voucher, single use, the account, and then what every other
// sign-in goes through. An adopted session counts as one factor.

import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import { hashToken } from '../lib/token.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import type { Attempt, Completed, Proof } from './complete.ts';
import type { OldCookies, OldPerson, OldSessions } from './old_session.ts';
import { takeOldSession } from './store.ts';
import { signInTakes } from './throttle.ts';

/** RFC 8176 has no value for it; `fed` is what sign-in with another provider is called here, and that it is. */
const AMR = ['fed'];

export function createSessionAdoption(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  accounts: Accounts;
  oldSessions: OldSessions;
  complete(attempt: Attempt, proof: Proof): Promise<Completed>;
}) {
  const { db, audit, rateLimits, accounts, oldSessions, complete } = options;

  /** What the cookies of the former system lead to; null when the reader is not signed in by them. */
  async function adoptSession(attempt: Attempt, cookies: OldCookies): Promise<Completed | null> {
    const { realm, address } = attempt;
    const setting = realm.settings.old_session;
    if (!setting || cookies.length !== setting.cookies.length || Date.now() >= Date.parse(setting.until) + 86_400_000)
      return null;
    const subject = hashToken(cookies.map(({ value }) => value).join('\n')).toString('base64url');
    const takes = signInTakes(realm, { subject, knownDevice: null, address });
    if (!(await rateLimits.take(takes)).isAllowed) return null;
    const vouched = await oldSessions.vouch(setting, cookies);
    const refuse = async (reason: string) => {
      await audit.record(db, { type: 'old-session.refused', realmId: realm.id, address, detail: { reason } });
      return null;
    };
    if (!vouched.ok) return refuse(vouched.why);
    const account = await db.transaction(async (q) =>
      (await takeOldSession(q, realm.id, vouched.hash)) ? accountOf(attempt, vouched.person) : 'taken',
    );
    if (account === 'taken') return refuse('it was adopted before');
    if (!account) return refuse('its person cannot be matched: the address belongs to another account');
    await rateLimits.giveBack(takes);
    await audit.record(db, {
      type: 'old-session.adopted',
      realmId: realm.id,
      accountId: account.id,
      address,
      detail: { uid: vouched.person.uid },
    });
    return complete(attempt, { accountId: account.id, amr: AMR });
  }

  /** By external id, then by an address that both sides have verified, else somebody new. */
  function accountOf({ realm, address }: Attempt, person: OldPerson): Promise<Account | null> {
    return db.transaction(async (q) => {
      const imported = await accounts.findByExternalId(q, realm.id, person.uid);
      if (imported !== null) return imported.isDisabled ? null : accounts.findById(q, imported.id);
      const known =
        person.email && person.isEmailVerified
          ? await accounts.findByReference(q, realm.id, { verifiedEmail: person.email.canonical })
          : null;
      if (known) return known;
      const made = await accounts.createVouchedFor(q, realm.id, person, { by: 'old session', address });
      if (made) await accounts.keepExternalId(q, made.id, person.uid);
      return made;
    });
  }

  return adoptSession;
}
