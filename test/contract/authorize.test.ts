import test from 'ava';
import { authorizeUrl, send } from '../support/browser.ts';
import { landingOf, originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { API, AUTH, cookiesSet, isFailure, isJson, isSuccess, NEWS } from './wire.ts';

const YAML = REALM_YAML.replace('id: shop', 'id: "42"');
const server = await startTestServer({ yaml: YAML });
test.after.always(() => server.close());
const LANDING = landingOf('news');
const STORY = `${NEWS}/story?a=1&b=ü`;
const STORY_SENT = `${NEWS}/story?a=1&b=%C3%BC`;

/** The address on the auth domain, as a sign-in page there asks it. */
function onAuth(more: Record<string, string> = {}, callback: string = STORY): string {
  const query = new URLSearchParams({
    client_id: 'news',
    redirect_uri: LANDING,
    callback_uri: callback,
    response_type: 'code',
    ...more,
  });
  return `${AUTH}${API}/oauth/authorize?${query}`;
}
const codesOf = (sessionId: string) => countRows(server, 'authorization_codes', { session_id: sessionId });

test('contract §3.1: on a client domain authorize is 303 to the same endpoint of the auth domain, with a flow cookie', async (t) => {
  const browser = server.browser();
  const answer = await browser.navigate(authorizeUrl(NEWS, 'news', STORY, { state: 'xyz', utm_source: 'mail' }));
  t.is(answer.status, 303);
  t.is(answer.headers['cache-control'], 'no-store');
  const target = new URL(String(answer.location));
  t.is(`${target.origin}${target.pathname}`, `${AUTH}${API}/oauth/authorize`);
  const { flow, ...sent } = Object.fromEntries(target.searchParams);
  t.deepEqual(sent, {
    client_id: 'news',
    redirect_uri: LANDING,
    callback_uri: STORY_SENT,
    response_type: 'code',
    state: 'xyz',
  });
  t.regex(String(flow), /^[A-Za-z0-9_-]{43}$/);
  t.is(answer.cookies.length, 1);
  t.regex(
    String(answer.cookies[0]),
    /^__Host-qt-flow-[^=]+=[A-Za-z0-9_-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
});

test('contract §3.1: on the auth domain a signed-in reader goes 303 to redirect_uri with code, callback_uri and state', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  const answer = await browser.navigate(onAuth({ state: 'a b&c' }), { from: AUTH });
  t.is(answer.status, 303);
  const [base, query = ''] = String(answer.location).split('?');
  t.is(base, LANDING);
  t.regex(query, /^code=[A-Za-z0-9_-]{43}&callback_uri=[^&]+&state=[^&]+$/);
  const sent = new URLSearchParams(query);
  t.is(sent.get('callback_uri'), STORY_SENT);
  t.is(sent.get('state'), 'a b&c');
  t.is(await codesOf(session.id), 1);
});

test('contract §3.1: on the auth domain an anonymous reader goes 303 to the sign-in page with the whole request', async (t) => {
  const answer = await server.browser().navigate(onAuth());
  t.is(answer.status, 303);
  const target = new URL(String(answer.location));
  t.is(`${target.origin}${target.pathname}`, `${AUTH}/login`);
  const { request_handle: handle, ...sent } = Object.fromEntries(target.searchParams);
  t.deepEqual(sent, { client_id: 'news', redirect_uri: LANDING, callback_uri: STORY_SENT, response_type: 'code' });
  t.true(String(handle).length > 40);
});

test('contract §3.1: allow_ajax answers 200 with the same URL under redirect_uri and redirect_url', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  const answer = await browser.fetch(onAuth({ allow_ajax: 'true' }));
  const body = isSuccess(t, answer);
  t.deepEqual(Object.keys(body), ['redirect_uri', 'redirect_url']);
  t.is(body['redirect_uri'], body['redirect_url']);
  t.is(String(body['redirect_uri']).split('?')[0], LANDING);
  t.is(answer.headers['access-control-allow-origin'], undefined);
  t.is(answer.headers['cross-origin-resource-policy'], 'same-origin');
  t.is(await codesOf(session.id), 1);
  const anonymous = isSuccess(t, await server.browser().fetch(onAuth({ allow_ajax: 'true' })));
  t.true(String(anonymous['redirect_uri']).startsWith(`${AUTH}/login?client_id=news&`));
  const onClient = isSuccess(t, await browser.fetch(authorizeUrl(NEWS, 'news', STORY, { allow_ajax: 'true' })));
  t.true(String(onClient['redirect_uri']).startsWith(`${AUTH}${API}/oauth/authorize?client_id=news&`));
});

test('contract §3.1: allow_ajax=false is a redirect like its absence', async (t) => {
  t.is((await server.browser().navigate(onAuth({ allow_ajax: 'false' }))).status, 303);
});

test('contract §3.1: allow_ajax refuses with error, error_description and message, and no redirect_uri', async (t) => {
  const { browser, session } = await signedInBrowser(server);
  const good = { allow_ajax: 'true' };
  for (const [url, status, error] of [
    [onAuth({ ...good, client_id: 'nobody' }), 400, 'unauthorized_client'],
    [onAuth({ ...good, redirect_uri: `${LANDING}/` }), 400, 'invalid_request'],
    [onAuth({ ...good, response_type: 'token' }), 400, 'invalid_request'],
    [onAuth(good, 'https://evil.test/'), 400, 'invalid_request'],
    [`${onAuth(good)}&state=a&state=b`, 400, 'invalid_request'],
    [`${onAuth(good)}&state=%ff`, 400, 'invalid_request'],
    [authorizeUrl(NEWS, 'sports', STORY, good), 400, 'unauthorized_client'],
  ] as const) {
    const answer = await browser.fetch(url);
    const body = isJson(t, answer, status);
    t.deepEqual(Object.keys(body), ['error', 'error_description', 'message'], url);
    t.is(body['error'], error);
    t.is(body['message'], body['error_description']);
  }
  const foreign = await browser.fetch(onAuth(good), { headers: { 'Sec-Fetch-Site': 'same-site', Origin: NEWS } });
  t.is(isJson(t, foreign, 403)['error'], 'access_denied');
  t.is(await codesOf(session.id), 0);
});

test('contract §3.1: client_id is an opaque string that may consist of digits', async (t) => {
  const shop = originOf('shop');
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const arrived = await browser.follow(authorizeUrl(shop, '42', `${shop}/x`), { from: shop });
  t.is(arrived.hops.at(-1), `${shop}/x`);
  t.is((await browser.me(shop)).json().user.id, Number(account.id));
  t.is((await browser.navigate(authorizeUrl(shop, '042', `${shop}/x`))).status, 400);
});

test('contract §3.1: callback_uri is optional and then the front page; a missing response_type is code', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth']);
  const url = `${NEWS}${API}/oauth/authorize?client_id=news&redirect_uri=${encodeURIComponent(LANDING)}`;
  t.is((await browser.follow(url)).hops.at(-1), `${NEWS}/`);
});

test('contract §3.1: a defined parameter twice is 400 in the general form when no script asked', async (t) => {
  isFailure(
    t,
    await send(server.port, `${onAuth()}&callback_uri=${encodeURIComponent(STORY)}`),
    400,
    /callback_uri once/,
  );
});

test('contract §3.2: token sets qt-auth and its companion on this host and goes 303 to the callback', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const start = await browser.navigate(authorizeUrl(NEWS, 'news', STORY));
  const issued = await browser.navigate(String(start.location), { from: NEWS });
  const landed = await browser.navigate(String(issued.location), { from: AUTH });
  t.is(landed.status, 303);
  t.is(landed.location, STORY_SENT);
  const cookies = cookiesSet(landed);
  t.regex(String(cookies['qt-auth']), /^[A-Za-z0-9_-]{43}$/);
  t.regex(String(cookies['__Host-qt-auth']), /^[A-Za-z0-9_-]{43}$/);
  t.is(landed.text, '');
  t.is((await browser.me(NEWS)).json().user.email, account.email);
  const again = await browser.navigate(String(issued.location), { from: AUTH });
  t.is(again.location, STORY_SENT, 'a reload goes to the callback again');
  t.is((await browser.me(NEWS)).status, 200);
});

test('contract §3.2: token with an unknown code is 400, without a session, and is not served on the auth domain', async (t) => {
  for (const query of [
    '',
    '?code=',
    `?code=${'A'.repeat(43)}`,
    '?code=nonsense&callback_uri=https%3A%2F%2Fevil.test%2F',
  ]) {
    const answer = await send(server.port, `${NEWS}${API}/oauth/token${query}`);
    isFailure(t, answer, 400);
    t.is(answer.location, null);
    t.deepEqual(answer.cookies, []);
  }
  // There the path is for backends alone, by POST, in the words of RFC 6749 §5.2.
  const elsewhere = await send(server.port, `${AUTH}${API}/oauth/token?code=${'A'.repeat(43)}`);
  t.is(elsewhere.status, 405);
  t.is(elsewhere.json().error, 'invalid_request');
  t.deepEqual(elsewhere.cookies, []);
});

test('contract §3.3: auto-sso of an anonymous reader ends on the callback with logged_in=false, added before the fragment', async (t) => {
  const path = `${API}/oauth/auto-sso/authorize`;
  for (const [callback, wanted] of [
    [`${NEWS}/p`, `${NEWS}/p?logged_in=false`],
    [`${NEWS}/p?x=1`, `${NEWS}/p?x=1&logged_in=false`],
    [`${NEWS}/p?x=1#top`, `${NEWS}/p?x=1&logged_in=false#top`],
    [`${NEWS}/p?logged_in=false`, `${NEWS}/p?logged_in=false`],
    [`${NEWS}/p?logged_in=true`, `${NEWS}/p?logged_in=true`],
  ] as const) {
    const arrived = await server.browser().follow(authorizeUrl(NEWS, 'news', callback, {}, path), { from: NEWS });
    t.is(arrived.hops.at(-1), wanted);
    t.false(
      arrived.hops.some((hop) => hop.startsWith(`${AUTH}/login`)),
      'no page in between',
    );
  }
});

test('contract §3.3: auto-sso of a signed-in reader ends on the callback as it was, signed in', async (t) => {
  const { browser, account } = await signedInBrowser(server, ['auth']);
  const url = authorizeUrl(NEWS, 'news', `${NEWS}/p?x=1#top`, {}, `${API}/oauth/auto-sso/authorize`);
  const arrived = await browser.follow(url, { from: NEWS });
  t.is(arrived.hops.at(-1), `${NEWS}/p?x=1#top`);
  t.is((await browser.me(NEWS)).json().user.email, account.email);
});
