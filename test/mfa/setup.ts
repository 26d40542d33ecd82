// Accounts with a second factor, made by the server's own use cases, and the codes that their app would show.

import { Secret, TOTP } from 'otpauth';
import type { Account } from '../../server/accounts/accounts.ts';
import { asSessionId } from '../../server/lib/ids.ts';
import type { Browser } from '../support/browser.ts';
import { originOf, PASSWORD, type SiteName, type TestServer } from '../support/server.ts';

export const API = '/api/auth/v1';
/** Steps of 30 s. */
const PERIOD = 30;

/** What an authenticator app shows. @param steps how many time steps from now; moved: seconds that the database is ahead */
export function codeOf(secret: string, { steps = 0, moved = 0 } = {}): string {
  const timestamp = Date.now() + (steps * PERIOD + moved) * 1000;
  return new TOTP({ secret: Secret.fromBase32(secret), period: PERIOD, digits: 6 }).generate({ timestamp });
}

/** A code that is none of now: six digits that no step nearby shows. */
export function wrongCodeOf(secret: string): string {
  const near = new Set([-3, -2, -1, 0, 1, 2, 3].map((steps) => codeOf(secret, { steps })));
  for (let number = 0; ; number++) {
    const code = String(number).padStart(6, '0');
    if (!near.has(code)) return code;
  }
}

export type Enrolled = { account: Account & { email: string }; secret: string; recoveryCodes: readonly string[] };

/** A new account that has a second factor; no code of it has been used. */
export async function enrolledAccount(server: TestServer, more: { email?: string } = {}): Promise<Enrolled> {
  const account = await server.makeAccount(more);
  return { account, ...(await enrol(server, account)) };
}

/** Gives an account its second factor. */
export async function enrol(server: TestServer, account: Account) {
  const { mfa, db, realms } = server.services;
  const realm = await realms.findById(account.realmId);
  if (!realm) throw new Error('no realm');
  const { secret, carried } = await mfa.beginEnrolment(realm, account);
  const reader = { accountId: account.id, sessionId: asSessionId(`test-${account.id}`) };
  const outcome = await mfa.enrol(realm, reader, { carried, code: codeOf(secret) }, { address: null });
  if (!outcome.ok) throw new Error(outcome.reason);
  await db.builder('totp_factors').where({ account_id: account.id }).update({ last_step: 0 });
  return { secret, recoveryCodes: outcome.recoveryCodes };
}

/** The first factor by script; the browser then holds `tfa-auth`. */
export async function passFirst(browser: Browser, account: { email: string }, site: SiteName = 'news') {
  const answer = await browser.post(`${originOf(site)}${API}/login`, { email: account.email, password: PASSWORD });
  if (answer.status !== 200 || !answer.json().code) throw new Error(`${answer.status} ${answer.text}`);
  return answer;
}

/** A code by script. */
export const sendCode = (browser: Browser, code: string | number, site: SiteName = 'news', more = {}) =>
  browser.post(`${originOf(site)}${API}/tfa/validate`, { code }, more);
