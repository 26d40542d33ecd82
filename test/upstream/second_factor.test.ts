// A person whom another provider vouches for, with an account here that has a second factor.

import test from 'ava';
import { codeOf, enrol, sendCode } from '../mfa/setup.ts';
import type { Browser } from '../support/browser.ts';
import { HOSTS } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { API, AUTH, entryOf, loginUrl, NEWS, startWithProvider, whoIs } from './setup.ts';

const { idp, server, browser, close } = await startWithProvider({
  upstream: (provider) => [
    entryOf(provider, 'corp'),
    `{ provider: google, client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", trusted_email_domains: [trusted.example], issuer: "${provider.issuer}", inspection: "${provider.issuer}/tokeninfo" }`,
  ],
});
test.after.always(close);

/** An account with a second factor, that the present person of the provider is connected with. */
async function vouchedFor() {
  const person = idp.reset();
  const first = await browser().post(`${NEWS}${API}/login/google`, { token: await idp.makeIdToken(person) });
  const account = await server.services.accounts.findById(server.services.db, first.json().user.id);
  if (!account) throw new Error(first.text);
  const { secret } = await enrol(server, account);
  const { sessions, db } = server.services;
  const of = { realmId: account.realmId, accountId: account.id };
  await db.transaction((q) => sessions.revokeAllOf(q, of, { reason: 'operator', address: null }));
  return { account, secret, person };
}
const hasSession = (reader: Browser) => [...reader.jars.values()].some((jar) => jar.has('qt-auth'));

test.serial(
  'security 163: by link the second factor’s page comes, on the auth domain, and no code until it is passed',
  async (t) => {
    const { account, secret } = await vouchedFor();
    const reader = browser();
    const page = await reader.follow(loginUrl(NEWS, 'corp', `${NEWS}/story`), { from: NEWS });
    t.true(page.hops.at(-1)?.startsWith(`${AUTH}/login/second-factor?request_handle=`), page.hops.at(-1));
    t.false(
      page.hops.some((hop) => hop.includes('code=tfa-')),
      'nothing of it on an address',
    );
    t.false(hasSession(reader));
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
    const again = await reader.follow(loginUrl(NEWS, 'corp', `${NEWS}/story`), { from: NEWS });
    t.true(again.hops.at(-1)?.startsWith(`${AUTH}/login/second-factor`), 'nor the second time');
    const passed = await reader.submit(again, { code: codeOf(secret) });
    const arrived = await reader.follow(new URL(String(passed.location), AUTH).href, { from: AUTH });
    t.is(arrived.hops.at(-1), `${NEWS}/story`);
    t.is((await whoIs(reader, NEWS))?.['email'], account.email);
  },
);

test.serial('security 163: by token the answer is which factor is needed, and no session', async (t) => {
  const { secret, person, account } = await vouchedFor();
  const reader = browser();
  const answer = await reader.post(`${NEWS}${API}/login/google`, { token: await idp.makeIdToken(person) });
  t.is(answer.status, 200);
  t.is(answer.json().code, 'tfa-validation-is-required');
  t.is(answer.headers['x-qt-auth'], undefined);
  t.false(hasSession(reader));
  t.is((await sendCode(reader, codeOf(secret))).status, 200);
  t.is((await whoIs(reader, NEWS))?.['email'], account.email);
});

test.serial('security 208: one-tap tells a page of the site on its address, other hosts never', async (t) => {
  const { secret, person, account } = await vouchedFor();
  const token = await idp.makeIdToken(person);
  const oneTap = (reader: Browser, wanted: string) =>
    reader.post(`${NEWS}${API}/login/google-one-tap`, { token, 'redirect-url': wanted });
  for (const wanted of ['https://evil.test/', '//evil.test', 'javascript:alert(1)', `${AUTH}/`, `${NEWS}.evil.test/`]) {
    const answer = await oneTap(browser(), wanted);
    t.is(answer.status, 200, wanted);
    t.is(answer.location, null, wanted);
    t.is(answer.json().code, 'tfa-validation-is-required', wanted);
  }
  const reader = browser();
  const sent = await oneTap(reader, `${NEWS}/story?code=x&page=2`);
  t.is(sent.status, 303);
  t.is(sent.location, `${NEWS}/story?code=tfa-validation-is-required&page=2`);
  t.true(reader.jarOf(HOSTS.news).has('tfa-auth'));
  t.false(hasSession(reader));
  t.is((await sendCode(reader, codeOf(secret))).status, 200);
  t.is((await whoIs(reader, NEWS))?.['email'], account.email);
});

for (const code of ['tfa-validation-is-required', 'tfa-setup-is-required'])
  test.serial(
    `security 208: ${code} is no authorization code: 400, no session, also in the browser that waits`,
    async (t) => {
      const { person, account } = await vouchedFor();
      const reader = browser();
      await reader.post(`${NEWS}${API}/login/google`, { token: await idp.makeIdToken(person) });
      const landing = `${NEWS}${API}/oauth/token?${new URLSearchParams({ code, callback_uri: `${NEWS}/story` })}`;
      const answer = await reader.navigate(landing, { from: NEWS });
      t.is(answer.status, 400);
      t.is(answer.location, null);
      t.false(hasSession(reader));
      t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
    },
  );
