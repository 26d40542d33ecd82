// The authorization endpoint at the running server: what comes back, pushed requests, consent, forms, odd input.

import test from 'ava';
import { hashToken } from '../../server/lib/token.ts';
import { checkRefusal, checkSuccess, checkTokenError, startConformance } from '../support/conformance.ts';
import {
  createRelyingParty,
  encode,
  ISSUER,
  makePkce,
  putClients,
  REDIRECT,
  signedInReader,
  walk,
} from '../support/relying_party.ts';

const on = await startConformance();
await putClients(on.server, [
  { id: 'pushing', require_pkce: false, consent: 'implied', require_pushed_authorization_requests: true },
  { id: 'evil-name', name: '<img src=x onerror=alert(1)>', require_pkce: false },
  { id: 'query-only', require_pkce: false, consent: 'implied', response_modes: ['query'] },
]);
test.after.always(() => on.server.close());
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

for (const mode of ['query', 'form_post']) {
  test(`security 83, 84, 92, RFC 9207 §2: a state of special characters comes back as it was by ${mode}, in success and in error, and cannot break out`, async (t) => {
    const { browser } = await signedInReader(on.server);
    for (const state of ['a+b/c=&d%25é"<', '"><script>alert(1)</script>', 'x'.repeat(2048), '&#34;&quot;', "'>"]) {
      const sent = on.first.request({ response_mode: mode, state });
      const outcome = await on.first.authorize(browser, sent);
      checkSuccess(on.first, sent, outcome);
      if (mode === 'form_post') {
        t.false(outcome.last.text.includes('<script>alert'));
        t.regex(String(outcome.last.headers['content-security-policy']), /script-src 'nonce-[^']+'/);
        t.regex(String(outcome.last.headers['content-security-policy']), /form-action 'self' https:(;|$)/);
        t.is(outcome.last.headers['referrer-policy'], 'no-referrer');
      }
      checkRefusal(on.first, sent, await on.first.authorize(on.server.browser(), { ...sent, prompt: 'none' }), [
        'login_required',
      ]);
    }
    const long = on.first.request({ response_mode: mode, state: 'x'.repeat(5000) });
    t.is((await on.first.authorize(browser, long)).answer?.get('error'), 'invalid_request');
  });
}

test('security 93: an empty value is an absent one, a repeated known parameter is refused here, a repeated unknown one is not', async (t) => {
  const { browser } = await signedInReader(on.server);
  const sent = on.first.request({ nonce: '' });
  checkSuccess(on.first, sent, await on.first.authorize(browser, sent));
  const twice = await browser.navigate(`${on.first.urlOf(on.first.request())}&client_id=first`, { from: REDIRECT });
  t.deepEqual([twice.status, twice.location], [400, null]);
  const extra = await browser.navigate(`${on.first.urlOf(on.first.request())}&extra=1&extra=2`, { from: REDIRECT });
  t.regex(extra.location ?? '', /[?&]code=/);
});

test('security 94: descriptions hold no reflected input, whatever is sent', async (t) => {
  const { browser } = await signedInReader(on.server);
  for (const name of ['prompt', 'max_age', 'response_type', 'claims', 'code_challenge_method', 'id_token_hint']) {
    const sent = on.first.request({ [name]: 'x"\\é\r\n<MARK>' });
    const outcome = await on.first.authorize(browser, sent);
    if (!outcome.answer) t.is(outcome.last.status, 400);
    else {
      checkRefusal(on.first, sent, outcome, ['invalid_request', 'unsupported_response_type']);
      t.false((outcome.answer.get('error_description') ?? '').includes('MARK'), name);
    }
  }
});

test('security 92: a client that is registered for query alone gets no form post', async (t) => {
  const { browser } = await signedInReader(on.server);
  t.is(
    (await createRelyingParty(on.server, 'query-only').authorize(browser, { response_mode: 'form_post' })).answer?.get(
      'error',
    ),
    'invalid_request',
  );
});

test('security 88, RFC 9126 §2.1, §2.2, §4, §5: a pushed request works once, for its client, for 90 s, and only its own parameters count', async (t) => {
  const { browser } = await signedInReader(on.server);
  const push = async () => {
    const answer = await on.first.post('/oauth/par', on.first.request({ state: 'pushed' }));
    t.is(answer.status, 201);
    t.true(answer.json().expires_in <= 90);
    return answer.json().request_uri as string;
  };
  const uri = await push();
  const go = (parameters: Record<string, string>) => walk(browser, `${ISSUER}/oauth/authorize?${encode(parameters)}`);
  const { answer } = await go({
    client_id: 'first',
    request_uri: uri,
    state: 'outer',
    redirect_uri: 'https://evil.example',
  });
  t.is(answer?.get('state'), 'pushed');
  t.truthy(answer?.get('code'));
  t.is((await go({ client_id: 'first', request_uri: uri })).answer, null, 'used up');
  const foreign = await push();
  const second = await go({ client_id: 'second', request_uri: foreign, redirect_uri: REDIRECT });
  t.is(second.answer?.get('error'), 'request_uri_not_supported', 'of another client');
  t.truthy((await go({ client_id: 'first', request_uri: foreign })).answer?.get('code'), 'and not used up by it');
  const old = await push();
  await on.server.services.db
    .builder('pushed_requests')
    .where({ handle_hash: hashToken(old.slice(old.lastIndexOf(':') + 1)) })
    .update({ expires_at: on.server.services.db.builder.raw("causeway_now() - interval '1 second'") });
  const expired = await go({ client_id: 'first', request_uri: old, redirect_uri: REDIRECT });
  t.is(expired.answer?.get('error'), 'request_uri_not_supported', 'expired');
  checkTokenError(await on.first.post('/oauth/par', on.first.request({ request_uri: uri })), 'invalid_request');
  checkTokenError(
    await on.first.post('/oauth/par', on.first.request({ redirect_uri: 'https://evil.example/' })),
    'invalid_request',
  );
  checkTokenError(
    await createRelyingParty(on.server, 'first', { secret: 'wrong' }).post('/oauth/par', on.first.request()),
    'invalid_client',
  );
  const pushing = createRelyingParty(on.server, 'pushing');
  t.is((await pushing.authorize(browser)).answer?.get('error'), 'invalid_request');
  const pushed = (await pushing.post('/oauth/par', pushing.request())).json().request_uri;
  t.truthy((await go({ client_id: 'pushing', request_uri: pushed })).answer?.get('code'));
});

test('security 89: a posted request becomes the same by GET; parameters in body and query, or twice, are refused', async (t) => {
  const post = (query: string, body: string) =>
    on.server
      .browser()
      .navigate(`${ISSUER}/oauth/authorize${query}`, { method: 'POST', from: REDIRECT, headers: FORM, body });
  t.is((await post('', encode(on.first.request()))).status, 303);
  t.is((await post('?state=x', encode(on.first.request()))).status, 400);
  t.is((await post('', `${encode(on.first.request())}&state=again`)).status, 400);
  t.is((await post('', `state=${'x'.repeat(200_000)}`)).status, 413);
});

test('security 90: consent is asked once, says who asks for what, can be denied, and is asked again for more', async (t) => {
  const { browser } = await signedInReader(on.server);
  const first = await on.asking.authorize(browser, { scope: 'openid email' }, { isStoppedBy: 'consent' });
  t.deepEqual(first.pages, ['consent']);
  for (const shown of ['Asking Client', 'rp.example']) t.true(first.last.text.includes(shown), shown);
  t.is(
    (await on.asking.authorize(browser, { scope: 'openid email', prompt: 'none' })).answer?.get('error'),
    'consent_required',
  );
  t.is(
    (await on.asking.authorize(browser, { scope: 'openid email' }, { consent: 'deny' })).answer?.get('error'),
    'access_denied',
  );
  t.deepEqual((await on.asking.authorize(browser, { scope: 'openid email' })).pages, ['consent']);
  t.deepEqual((await on.asking.authorize(browser, { scope: 'openid email' })).pages, []);
  t.deepEqual((await on.asking.authorize(browser, { scope: 'openid' })).pages, []);
  t.deepEqual(
    (await on.asking.authorize(browser, { scope: 'openid email profile' }, { isStoppedBy: 'consent' })).pages,
    ['consent'],
  );
  const escaped = await createRelyingParty(on.server, 'evil-name').authorize(browser, {}, { isStoppedBy: 'consent' });
  t.false(escaped.last.text.includes('<img src=x'));
  const forged = await browser.submit(first.last, { answer: 'allow', csrf_token: 'wrong' });
  t.regex(forged.location ?? '', /^\/oauth\/consent\?/, 'without the token it is only shown again');
});

test("security 90: the address after a yes is worth nothing in another reader's browser", async (t) => {
  const [attacker, reader] = [await signedInReader(on.server), await signedInReader(on.server)];
  const asked = await on.asking.authorize(attacker.browser, { scope: 'openid email' }, { isStoppedBy: 'consent' });
  const allowed = await attacker.browser.submit(asked.last, { answer: 'allow' });
  t.regex(allowed.location ?? '', /^\/oauth\/authorize\?carried=/);
  const outcome = await walk(reader.browser, `${ISSUER}${allowed.location}`, { isStoppedBy: 'consent' });
  t.deepEqual([outcome.to, outcome.pages], [null, ['consent']]);
});

test('security 86: a hint of another reader never gives a code for this one, silently or after signing in as oneself again', async (t) => {
  const [one, other] = [await signedInReader(on.server), await signedInReader(on.server)];
  const { id_token: hint } = await on.first.signIn(other.browser);
  t.is(
    (await on.first.authorize(one.browser, { prompt: 'none', id_token_hint: hint })).answer?.get('error'),
    'login_required',
  );
  const { answer, pages } = await on.first.authorize(one.browser, { id_token_hint: hint }, { account: one.account });
  t.deepEqual([pages, answer?.get('error'), answer?.get('code')], [['login'], 'login_required', null]);
  for (const wrong of [hint.slice(0, -4), 'x', `${hint.split('.').slice(0, 2).join('.')}.`])
    t.is((await on.first.authorize(one.browser, { id_token_hint: wrong })).answer?.get('error'), 'invalid_request');
});

test('security 81, RFC 9700 §2.1.1: a public client must use PKCE, and gets its tokens with it and no secret', async (t) => {
  const { browser } = await signedInReader(on.server);
  t.is((await on.public.authorize(browser)).answer?.get('error'), 'invalid_request');
  const { verifier, request } = makePkce();
  t.truthy((await on.public.signIn(browser, request, { code_verifier: verifier })).access_token);
});
