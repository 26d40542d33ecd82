// What a product learns from the ID token about a sign-in with a passkey: by which methods, how much they are worth, and when.

import test from 'ava';
import { ACR } from '../../server/mfa/mfa.ts';
import type { Browser } from '../support/browser.ts';
import { createRelyingParty, putClients } from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';
import { passkeyReader, prove } from './passkey_setup.ts';
import { passFirst } from './setup.ts';

const server = await startTestServer();
await putClients(server, [{ id: 'shop-app', require_pkce: false, consent: 'implied' }]);
const rp = createRelyingParty(server, 'shop-app');
test.after.always(() => server.close());

async function idTokenOf(browser: Browser, changes = {}) {
  const { id_token: token } = await rp.signIn(browser, changes);
  return JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString());
}

/** Makes the sign-in of an account an older one. @returns when it was, in seconds since the epoch */
async function backdate(account: { id: string }, seconds: number): Promise<number> {
  const { builder } = server.services.db;
  const [row] = await builder('sessions')
    .where({ account_id: account.id })
    .update({ authenticated_at: builder.raw(`causeway_now() - interval '${seconds} seconds'`) })
    .returning('authenticated_at');
  return Math.floor(row.authenticated_at.getTime() / 1000);
}

for (const [kind, isSynced, method] of [
  ['a passkey of one device', false, 'hwk'],
  ['a synced passkey', true, 'swk'],
] as const)
  test(`OIDC Core §2, security 170: the ID token after ${kind} alone says ${method}, user, mfa, the higher acr, and when it was used`, async (t) => {
    const { account, browser: maker, key } = await passkeyReader(server, { isSynced });
    await maker.fetch('http://news.test.localhost/api/auth/v1/logout');
    const browser = server.browser();
    t.is((await prove(browser, key, { site: 'auth' })).status, 200);
    const at = await backdate(account, 100);
    const token = await idTokenOf(browser);
    t.deepEqual(token.amr, [method, 'user', 'mfa']);
    t.is(token.acr, ACR.several);
    t.is(token.auth_time, at, 'the time of the ceremony, not that of the token');
    t.true(token.iat - token.auth_time >= 100);
  });

test('OIDC Core §2, security 170: after the password a touch of the key adds its method, and raises the acr', async (t) => {
  const { account, browser: maker, key } = await passkeyReader(server);
  await maker.fetch('http://news.test.localhost/api/auth/v1/logout');
  const browser = server.browser();
  const before = Math.floor(Date.now() / 1000);
  await passFirst(browser, account, 'auth');
  t.is((await prove(browser, key, { site: 'auth', path: 'second-factor', isVerified: false })).status, 200);
  const token = await idTokenOf(browser);
  t.deepEqual(token.amr, ['pwd', 'hwk', 'user', 'mfa']);
  t.is(token.acr, ACR.several);
  t.true(token.auth_time >= before && token.auth_time <= token.iat);
});

test('OIDC Core §3.1.2.1: a passkey that is used again for max_age gives a later auth_time', async (t) => {
  const { account, browser: maker, key } = await passkeyReader(server);
  await maker.fetch('http://news.test.localhost/api/auth/v1/logout');
  const browser = server.browser();
  await prove(browser, key, { site: 'auth' });
  const at = await backdate(account, 600);
  const asked = await rp.authorize(browser, { max_age: '60' });
  t.deepEqual(asked.pages, ['login'], 'the sign-in is too old');
  t.is((await prove(browser, key, { site: 'auth' })).status, 200);
  const token = await idTokenOf(browser, { max_age: '60' });
  t.true(token.auth_time >= at + 599);
  t.deepEqual(token.amr, ['hwk', 'user', 'mfa']);
});
