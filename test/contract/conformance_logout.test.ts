// The certification modules of the RP-Initiated Logout and Back-Channel Logout profiles.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import type { Browser } from '../support/browser.ts';
import {
  AFTER_LOGOUT,
  checkRefusal,
  completeFlow,
  type Done,
  fullReader,
  startConformance,
} from '../support/conformance.ts';
import { encode, ISSUER, type Outcome, type Parameters, signJws, walk } from '../support/relying_party.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

const END = `${ISSUER}/oauth/end_session`;

/** A reader with a session and an ID token; `end` sends the browser to end_session. */
async function ready() {
  const { browser } = await fullReader(on.server);
  const done = await completeFlow(on.first, browser);
  const end = (parameters: Parameters): Promise<Outcome> => walk(browser, `${END}?${encode(parameters)}`);
  return { browser, done, end };
}

/** Whether the session is over, asked as the suite asks: prompt=none. */
async function isOver(browser: Browser): Promise<boolean> {
  const sent = on.first.request({ prompt: 'none' });
  const outcome = await on.first.authorize(browser, sent);
  if (outcome.answer?.has('code')) return false;
  checkRefusal(on.first, sent, outcome, ['login_required']);
  return true;
}

/** Stays with the provider: the page asks, and confirmed it says that the reader is signed out. */
async function asksThenSignsOut(browser: Browser, outcome: Outcome) {
  assert.deepEqual([outcome.to, outcome.pages], [null, ['end-session']]);
  assert.equal(await isOver(browser), false, 'asking has ended nothing');
  const confirmed = await browser.submit(outcome.last, {});
  const page = await browser.follow(new URL(confirmed.location ?? '', ISSUER).href, { from: END });
  assert.equal(page.url, `${ISSUER}/signed-out`, 'no redirect to anybody');
  assert.match(page.text, /signed out/i);
  assert.equal(await isOver(browser), true);
}

const module = (name: string, shows: string, run: (on: Awaited<ReturnType<typeof ready>>) => Promise<void>) =>
  test(`${name}: ${shows}`, async (t) => {
    await t.notThrowsAsync(ready().then(run));
  });

const withPart = (token: string, index: number, value: string) =>
  token
    .split('.')
    .map((part, at) => (at === index ? value : part))
    .join('.');
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (done: Done) => withPart(withPart(done.tokens.id_token, 0, part({ alg: 'none', typ: 'JWT' })), 2, '');

for (const name of ['oidcc-rp-initiated-logout', 'oidcc-backchannel-logout'] as const) {
  test(`${name}-discovery-endpoint-verification: the metadata says what logout is offered`, async (t) => {
    const metadata = (await on.first.get('/.well-known/openid-configuration')).json();
    t.is(metadata.end_session_endpoint, END);
    t.true(metadata.backchannel_logout_supported);
    t.true(metadata.backchannel_logout_session_supported);
    for (const absent of [
      'frontchannel_logout_supported',
      'frontchannel_logout_session_supported',
      'check_session_iframe',
    ])
      t.false(absent in metadata);
  });
}

module(
  'oidcc-rp-initiated-logout',
  'hint, registered URI and state: back there with exactly the state, and the session is over',
  async ({ browser, done, end }) => {
    const { to } = await end({
      id_token_hint: done.tokens.id_token,
      post_logout_redirect_uri: AFTER_LOGOUT,
      state: 'a-state',
    });
    assert.equal(to, `${AFTER_LOGOUT}?state=a-state`);
    assert.equal(await isOver(browser), true);
  },
);
module(
  'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
  'a URI that is not registered is never followed',
  async ({ browser, done, end }) => {
    const { to, last } = await end({
      id_token_hint: done.tokens.id_token,
      post_logout_redirect_uri: 'https://evil.example/out',
      state: 's',
    });
    assert.deepEqual([to, last.url], [null, `${ISSUER}/signed-out`]);
    assert.equal(await isOver(browser), true);
  },
);
module(
  'oidcc-rp-initiated-logout-modified-id-token-hint',
  'a hint rewritten to alg none proves nothing: the page asks, no redirect',
  async ({ browser, done, end }) => {
    await asksThenSignsOut(
      browser,
      await end({ id_token_hint: unsigned(done), post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    );
  },
);
module(
  'oidcc-rp-initiated-logout-no-id-token-hint',
  'a URI without a hint: the page asks, no redirect',
  async ({ browser, end }) => {
    await asksThenSignsOut(browser, await end({ post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }));
  },
);
module(
  'oidcc-rp-initiated-logout-no-params',
  'no parameters: the page asks, then says that the reader is signed out',
  async ({ browser, end }) => {
    await asksThenSignsOut(browser, await end({}));
  },
);
module(
  'oidcc-rp-initiated-logout-no-post-logout-redirect-uri',
  'hint only: signed out, no redirect',
  async ({ browser, done, end }) => {
    const { to, last } = await end({ id_token_hint: done.tokens.id_token });
    assert.deepEqual([to, last.url], [null, `${ISSUER}/signed-out`]);
    assert.equal(await isOver(browser), true);
  },
);
module(
  'oidcc-rp-initiated-logout-no-state',
  'without a state the redirect has none',
  async ({ browser, done, end }) => {
    const { to } = await end({ id_token_hint: done.tokens.id_token, post_logout_redirect_uri: AFTER_LOGOUT });
    assert.equal(to, AFTER_LOGOUT);
    assert.equal(await isOver(browser), true);
  },
);
module(
  'oidcc-rp-initiated-logout-only-state',
  'only a state: the page asks, then says signed out, no redirect',
  async ({ browser, end }) => {
    await asksThenSignsOut(browser, await end({ state: 's' }));
  },
);
module(
  'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri',
  'a query added to the registered URI makes it another one',
  async ({ done, end }) => {
    const { to, last } = await end({
      id_token_hint: done.tokens.id_token,
      post_logout_redirect_uri: `${AFTER_LOGOUT}?foo=bar`,
      state: 's',
    });
    assert.deepEqual([to, last.url], [null, `${ISSUER}/signed-out`]);
  },
);
module(
  'oidcc-rp-initiated-logout-bad-id-token-hint',
  'a hint signed by another key proves nothing',
  async ({ browser, done, end }) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const forged = signJws({ alg: 'RS256', kid: done.id.header['kid'], typ: 'JWT' }, done.id.payload, privateKey);
    await asksThenSignsOut(
      browser,
      await end({ id_token_hint: forged, post_logout_redirect_uri: AFTER_LOGOUT, state: 's' }),
    );
  },
);

test('security 128, OpenID Connect RP-Initiated Logout §2: the hint of another reader, and a post without the session cookie, end nothing without asking', async (t) => {
  const [own, other] = [await ready(), await ready()];
  const outcome = await own.end({ id_token_hint: other.done.tokens.id_token, post_logout_redirect_uri: AFTER_LOGOUT });
  t.deepEqual([outcome.to, outcome.pages], [null, ['end-session']]);
  t.false(await isOver(own.browser));
  t.false(await isOver(other.browser));
  // A form of another site: no Lax cookies come with it, and none may be cleared by it.
  const posted = await own.browser.navigate(END, {
    method: 'POST',
    from: 'https://evil.example/',
    cookies: null,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'state=x',
  });
  t.is(posted.status, 303);
  t.deepEqual(posted.cookies, []);
  t.is(posted.location, `${END}?state=x`);
  const asked = await walk(own.browser, posted.location ?? '');
  t.deepEqual(asked.pages, ['end-session']);
  t.false(await isOver(own.browser));
});

test('security 129: after logout prompt=none fails for every client that shared the session, and its tokens are dead', async (t) => {
  const { browser, done, end } = await ready();
  const shared = await completeFlow(on.second, browser);
  await end({ id_token_hint: done.tokens.id_token });
  const sent = on.second.request({ prompt: 'none' });
  t.is(checkRefusal(on.second, sent, await on.second.authorize(browser, sent), ['login_required']), 'login_required');
  t.is((await on.second.userinfo(shared.tokens.access_token)).status, 401);
  t.is((await on.second.refresh(shared.tokens.refresh_token ?? '')).json().error, 'invalid_grant');
});
