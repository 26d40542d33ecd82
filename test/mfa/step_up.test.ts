import test from 'ava';
import { ACR, acrAnswer, acrOf, isMultiFactor, stepUpNeed, withSecondFactor } from '../../server/mfa/mfa.ts';
import { createRelyingParty, ISSUER, putClients, walk } from '../support/relying_party.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { beginSession, keepIn } from '../support/signed_in.ts';
import { codeOf, enrolledAccount, passFirst, sendCode } from './setup.ts';

const server = await startTestServer();
await putClients(server, [{ id: 'shop-app', require_pkce: false, consent: 'implied' }]);
const rp = createRelyingParty(server, 'shop-app');
test.after.always(() => server.close());

const ESSENTIAL = JSON.stringify({ id_token: { acr: { essential: true, value: ACR.several } } });
const claimsOf = (token: string) => JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString());
async function idTokenOf(answer: URLSearchParams | null) {
  const redeemed = await rp.redeem(answer?.get('code'));
  return claimsOf(redeemed.json().id_token);
}
/** A reader with a second factor whose session was made with the password alone. */
async function oneFactor() {
  const enrolled = await enrolledAccount(server);
  const session = await beginSession(server, enrolled.account, ['auth']);
  const browser = server.browser();
  keepIn(browser, session);
  return { ...enrolled, session, browser };
}

const NEEDS: [
  title: string,
  asked: Parameters<typeof stepUpNeed>[0],
  has: string,
  need: ReturnType<typeof stepUpNeed>,
][] = [
  ['nothing asked', { acrValues: [], essentialAcr: null }, ACR.one, null],
  ['two factors wished, one there', { acrValues: [ACR.several], essentialAcr: null }, ACR.one, 'second-factor'],
  ['two factors wished and there', { acrValues: [ACR.several], essentialAcr: null }, ACR.several, null],
  ['one preferred to two', { acrValues: [ACR.one, ACR.several], essentialAcr: null }, ACR.one, null],
  ['only unknown wishes', { acrValues: ['1', '2'], essentialAcr: null }, ACR.one, null],
  [
    'an unknown wish before two factors',
    { acrValues: ['x', ACR.several], essentialAcr: null },
    ACR.one,
    'second-factor',
  ],
  ['two factors essential', { acrValues: [], essentialAcr: [ACR.several] }, ACR.one, 'second-factor'],
  ['one factor essential, two there', { acrValues: [], essentialAcr: [ACR.one] }, ACR.several, null],
  ['something unknown essential', { acrValues: [], essentialAcr: ['x'] }, ACR.several, 'unmet'],
  ['essential outweighs a wish', { acrValues: [ACR.several], essentialAcr: [ACR.one] }, ACR.one, null],
];
for (const [title, asked, has, need] of NEEDS)
  test(`OIDC Core §5.5.1.1: ${title}`, (t) => t.is(stepUpNeed(asked, has), need));

test('RFC 8176 §2: mfa says that several factors were proven, and the acr follows from it', (t) => {
  t.deepEqual(withSecondFactor(['pwd'], ['otp']), ['pwd', 'otp', 'mfa']);
  t.true(isMultiFactor(['hwk', 'user', 'mfa']));
  t.false(isMultiFactor(['pwd', 'otp']));
  t.deepEqual([acrOf(['pwd']), acrOf(['pwd', 'otp', 'mfa'])], [ACR.one, ACR.several]);
  t.is(acrAnswer([ACR.one], ACR.several), ACR.one);
  t.is(acrAnswer(null, ACR.several), ACR.several);
  t.is(acrAnswer([ACR.several], ACR.one), ACR.one, 'never a higher one than there is');
});

test('security 170: a session of password alone gives amr pwd and the lower acr; with the second factor otp and the higher one', async (t) => {
  const { account, secret } = await enrolledAccount(server);
  const plain = await server.makeAccount();
  const one = server.browser();
  keepIn(one, await beginSession(server, plain, ['auth']));
  t.like(await idTokenOf((await rp.authorize(one, rp.request())).answer), { amr: ['pwd'], acr: ACR.one });
  const two = server.browser();
  await passFirst(two, account, 'auth');
  await sendCode(two, codeOf(secret), 'auth');
  t.like(await idTokenOf((await rp.authorize(two, rp.request())).answer), {
    amr: ['pwd', 'otp', 'mfa'],
    acr: ACR.several,
  });
});

test('security 45, 170: acr_values of two factors leads from a session of one to the second factor alone, and raises it', async (t) => {
  const { secret, session, browser } = await oneFactor();
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ id: session.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '60 seconds'") });
  const before = browser.cookieHeader(HOSTS.auth);
  const asked = await rp.authorize(browser, rp.request({ acr_values: ACR.several }));
  t.is(asked.answer, null);
  t.regex(asked.last.url, /\/login\/second-factor\?/);
  t.false(asked.pages.includes('login'), 'the password is not asked for');
  const wrong = await browser.submit(asked.last, { code: '12345' });
  t.is(wrong.status, 401);
  const answered = await browser.submit(wrong, { code: codeOf(secret) });
  const outcome = await walk(browser, new URL(String(answered.location), ISSUER).href);
  const token = await idTokenOf(outcome.answer);
  t.like(token, { amr: ['pwd', 'otp', 'mfa'], acr: ACR.several });
  t.true(Math.abs(token.auth_time - Date.now() / 1000) < 30, 'auth_time is new');
  t.not(browser.cookieHeader(HOSTS.auth), before);
  t.is((await server.browser().me(ISSUER, { cookies: before })).status, 401, 'the token of before is dead');
  t.is((await browser.me(ISSUER)).status, 200);
  const silent = await rp.authorize(browser, rp.request({ prompt: 'none', claims: ESSENTIAL }));
  t.is((await idTokenOf(silent.answer)).acr, ACR.several);
});

test('security 170, OIDC Core §5.5.1.1: an essential acr of two factors with prompt=none is an error, never a lower acr', async (t) => {
  const { browser } = await oneFactor();
  const essential = await rp.authorize(browser, rp.request({ prompt: 'none', claims: ESSENTIAL }));
  t.is(essential.answer?.get('error'), 'unmet_authentication_requirements');
  const wished = await rp.authorize(browser, rp.request({ prompt: 'none', acr_values: ACR.several }));
  t.is(wished.answer?.get('error'), 'interaction_required');
  const unasked = await rp.authorize(browser, rp.request({ prompt: 'none' }));
  t.is((await idTokenOf(unasked.answer)).acr, ACR.one, 'silent, and truthful');
  const shown = await rp.authorize(browser, rp.request({ claims: ESSENTIAL }));
  t.regex(shown.last.url, /\/login\/second-factor\?/);
});

test('security 170: with an old sign-in the whole sign-in is asked for, and the second factor after it', async (t) => {
  const { account, secret, session, browser } = await oneFactor();
  const { db } = server.services;
  await db
    .builder('sessions')
    .where({ id: session.id })
    .update({ authenticated_at: db.builder.raw("causeway_now() - interval '1 hour'") });
  const asked = await rp.authorize(browser, rp.request({ acr_values: ACR.several }), { account });
  t.deepEqual(asked.pages, ['login', 'other']);
  t.regex(asked.last.url, /\/login\/second-factor\?/);
  const answered = await browser.submit(asked.last, { code: codeOf(secret) });
  const outcome = await walk(browser, new URL(String(answered.location), ISSUER).href);
  t.is((await idTokenOf(outcome.answer)).acr, ACR.several);
});

test('a step-up has five tries, however right the sixth is', async (t) => {
  const { secret, browser } = await oneFactor();
  let { last } = await rp.authorize(browser, rp.request({ acr_values: ACR.several }));
  for (let count = 0; count < 5; count++) {
    last = await browser.submit(last, { code: '000' });
    t.is(last.status, 401);
  }
  const sixth = await browser.submit(last, { code: codeOf(secret) });
  t.is(sixth.status, 429);
  t.true(Number(sixth.headers['retry-after']) > 0);
});

test('the metadata names both contexts', async (t) => {
  t.deepEqual((await rp.get('/.well-known/openid-configuration')).json().acr_values_supported, [ACR.one, ACR.several]);
});
