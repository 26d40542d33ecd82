// The modules of the Basic profile (and, with response_mode=form_post, of the Form Post profile) that need no moved clock,
// as data: name of the module, what it shows, and how. Modules of time are in conformance_time.test.ts.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  type Conformance,
  checkRefusal,
  checkSuccess,
  checkTokenAnswer,
  checkTokenError,
  completeFlow,
  fetchJwks,
  fullReader,
  type Mode,
} from '../support/conformance.ts';
import { verifyJws } from '../support/jws_verifier.ts';
import { makePkce, type Parameters, REDIRECT, signJws } from '../support/relying_party.ts';

export type Play = {
  on: Conformance;
  mode: Mode /** Parameters of a request in the mode that is tested. */;
  ask(changes?: Parameters): Parameters;
};
export type Module = { name: string; shows: string; run(play: Play): Promise<void> };

/** A module that is one happy path with other parameters. */
const happy = (name: string, shows: string, changes: Parameters): Module => ({
  name,
  shows,
  run: async ({ on, ask }) => {
    const { browser } = await fullReader(on.server);
    const done = await completeFlow(on.first, browser, ask(changes));
    assert.equal(done.id.payload['name'], undefined);
  },
});

const scoped = (name: string, scope: string, expected: Record<string, unknown>): Module => ({
  name,
  shows: `scope "${scope}" gives its claims at userinfo and none of them in the ID token`,
  run: async ({ on, ask }) => {
    const { account, browser } = await fullReader(on.server);
    const { userinfo, id } = await completeFlow(on.first, browser, ask({ scope }));
    const { sub, updated_at: updatedAt, email, phone_number: phone, preferred_username: username, ...rest } = userinfo;
    assert.equal(sub, account.sub);
    assert.deepEqual(rest, expected);
    assert.equal(typeof updatedAt, scope.includes('profile') ? 'number' : 'undefined');
    assert.equal(email, scope.includes('email') ? account.email : undefined);
    assert.equal(phone, scope.includes('phone') ? `+44${account.id}` : undefined);
    assert.equal(username, scope.includes('profile') ? `ada${account.id}` : undefined);
    for (const claim of Object.keys({ ...expected, email, phone })) assert.equal(id.payload[claim], undefined);
  },
});

const PROFILE = { name: 'Test Reader', given_name: 'Ada', family_name: 'Reader', picture: 'https://img.example/a.png' };
const ADDRESS = { address: { street_address: '1 High Street', country: 'GB' } };

export const BASIC_MODULES: readonly Module[] = [
  {
    name: 'oidcc-server',
    shows: 'a reader signs in with a password and the client gets code, ID token and userinfo',
    run: async ({ on, ask }) => {
      const account = await on.server.makeAccount();
      const { outcome, id } = await completeFlow(on.first, on.server.browser(), ask(), { account });
      assert.deepEqual(outcome.pages, ['login']);
      assert.equal(id.payload['sub'], account.sub);
    },
  },
  {
    name: 'oidcc-response-type-missing',
    shows: 'a request without response_type is refused and gives no code',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const sent = on.first.request(ask({ response_type: undefined }));
      checkRefusal(on.first, sent, await on.first.authorize(browser, sent), [
        'unsupported_response_type',
        'invalid_request',
      ]);
    },
  },
  {
    name: 'oidcc-idtoken-signature',
    shows: 'an ID token is signed RS256 by default and names a kid of the JWK set',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { id } = await completeFlow(on.first, browser, ask());
      assert.equal(id.header['alg'], 'RS256');
      assert.ok((await fetchJwks(on.first)).keys.some(({ kid }) => kid === id.header['kid']));
    },
  },
  {
    name: 'oidcc-idtoken-unsigned',
    shows: 'alg none is not offered for ID tokens',
    run: async ({ on }) => {
      const { id_token_signing_alg_values_supported: algs } = (
        await on.first.get('/.well-known/openid-configuration')
      ).json();
      assert.ok(!algs.includes('none') && algs.includes('RS256'));
    },
  },
  ...(
    [
      ['oidcc-userinfo-get', 'GET with a bearer header', { method: 'GET' }],
      ['oidcc-userinfo-post-header', 'POST with a bearer header and no body', { method: 'POST' }],
    ] as const
  ).map(
    ([name, shows, more]): Module => ({
      name,
      shows: `userinfo answers ${shows} with the sub of the ID token`,
      run: async ({ on, ask }) => {
        const { browser } = await fullReader(on.server);
        const { tokens, id } = await completeFlow(on.first, browser, ask());
        const info = await on.first.userinfo(tokens.access_token, more);
        assert.equal(info.status, 200);
        assert.equal(info.json().sub, id.payload['sub']);
      },
    }),
  ),
  {
    name: 'oidcc-userinfo-post-body',
    shows: 'userinfo takes the access token from a form body',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { tokens, id } = await completeFlow(on.first, browser, ask());
      const info = await on.first.machine.ask('http://auth.test.localhost/oauth/userinfo', {
        method: 'POST',
        cookies: null,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: `access_token=${encodeURIComponent(tokens.access_token)}`,
      });
      assert.equal(info.status, 200);
      assert.equal(info.json().sub, id.payload['sub']);
    },
  },
  happy('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', 'without a nonce the ID token has none', {
    nonce: undefined,
  }),
  scoped('oidcc-scope-profile', 'openid profile', PROFILE),
  scoped('oidcc-scope-email', 'openid email', { email_verified: true }),
  scoped('oidcc-scope-address', 'openid address', ADDRESS),
  scoped('oidcc-scope-phone', 'openid phone', { phone_number_verified: false }),
  scoped('oidcc-scope-all', 'openid profile email address phone', {
    ...PROFILE,
    ...ADDRESS,
    email_verified: true,
    phone_number_verified: false,
  }),
  scoped('oidcc-ensure-other-scope-order-succeeds', 'email openid', { email_verified: true }),
  {
    name: 'oidcc-alternate-happy-flow',
    shows: 'scopes and parameters in reverse order make no difference',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { userinfo } = await completeFlow(on.first, browser, ask({ scope: 'email openid' }));
      const reversed = Object.fromEntries(Object.entries(on.first.request(ask({ scope: 'email openid' }))).reverse());
      const code = checkSuccess(on.first, reversed, await on.first.authorize(browser, reversed));
      assert.equal(
        checkTokenAnswer(await on.first.redeem(code))
          .scope.split(' ')
          .sort()
          .join(' '),
        'email openid',
      );
      assert.equal(userinfo['email_verified'], true);
    },
  },
  happy('oidcc-display-page', 'display=page is no error', { display: 'page' }),
  happy('oidcc-display-popup', 'display=popup is no error', { display: 'popup' }),
  {
    name: 'oidcc-prompt-none-not-logged-in',
    shows: 'prompt=none without a session says login_required and keeps a state of 128 characters',
    run: async ({ on, ask }) => {
      const sent = on.first.request(ask({ prompt: 'none', state: 'S-._~'.repeat(26).slice(0, 128) }));
      const outcome = await on.first.authorize(on.server.browser(), sent);
      assert.deepEqual(outcome.pages, []);
      assert.equal(checkRefusal(on.first, sent, outcome, ['login_required', 'interaction_required']), 'login_required');
    },
  },
  {
    name: 'oidcc-prompt-none-logged-in',
    shows: 'prompt=none with a session shows no page and gives the same sub and auth_time',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const before = await completeFlow(on.first, browser, ask());
      const { id, outcome } = await completeFlow(on.first, browser, ask({ prompt: 'none' }));
      assert.deepEqual(outcome.pages, []);
      assert.deepEqual(
        [id.payload['sub'], id.payload['auth_time']],
        [before.id.payload['sub'], before.id.payload['auth_time']],
      );
    },
  },
  happy('oidcc-ensure-request-with-unknown-parameter-succeeds', 'a parameter that nobody defines is ignored', {
    extra: 'foobar',
  }),
  {
    name: 'oidcc-id-token-hint',
    shows: 'prompt=none with the hint of the reader answers at once with the same sub and auth_time',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const before = await completeFlow(on.first, browser, ask());
      const { id, outcome } = await completeFlow(
        on.first,
        browser,
        ask({ prompt: 'none', id_token_hint: before.tokens.id_token }),
      );
      assert.deepEqual(outcome.pages, []);
      assert.deepEqual(
        [id.payload['sub'], id.payload['auth_time']],
        [before.id.payload['sub'], before.id.payload['auth_time']],
      );
    },
  },
  {
    name: 'oidcc-login-hint',
    shows: 'login_hint is no error and fills the sign-in page',
    run: async ({ on, ask }) => {
      const account = await on.server.makeAccount();
      const sent = on.first.request(ask({ login_hint: account.email }));
      const asked = await on.first.authorize(on.server.browser(), sent);
      assert.ok(asked.last.text.includes(`value="${account.email}"`));
      await completeFlow(on.first, on.server.browser(), sent, { account });
    },
  },
  happy('oidcc-ui-locales', 'ui_locales=se is no error', { ui_locales: 'se' }),
  happy('oidcc-claims-locales', 'claims_locales=se is no error', { claims_locales: 'se' }),
  {
    name: 'oidcc-ensure-request-with-acr-values-succeeds',
    shows: 'acr_values are no error, and the acr is one of the advertised',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { acr_values_supported: offered } = (await on.first.get('/.well-known/openid-configuration')).json();
      const { id } = await completeFlow(on.first, browser, ask({ acr_values: offered.join(' ') }));
      assert.ok(offered.includes(id.payload['acr']));
      await completeFlow(on.first, browser, ask({ acr_values: '1 2' }));
    },
  },
  {
    name: 'oidcc-codereuse',
    shows: 'a code used a second time is refused with invalid_grant',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { code, tokens } = await completeFlow(on.first, browser, ask());
      checkTokenError(await on.first.redeem(code), 'invalid_grant');
      assert.equal((await on.first.userinfo(tokens.access_token)).status, 401);
    },
  },
  {
    name: 'oidcc-ensure-registered-redirect-uri',
    shows: 'a redirect URI that is not registered gives a page and no redirect',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const outcome = await on.first.authorize(browser, ask({ redirect_uri: `${REDIRECT}/more` }));
      assert.deepEqual([outcome.to, outcome.last.status, outcome.last.location], [null, 400, null]);
    },
  },
  {
    name: 'oidcc-ensure-post-request-succeeds',
    shows: 'an authorization request by form post from another site works',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const sent = on.first.request(ask());
      // A cross-site post carries no Lax cookies; what it is turned into does.
      const posted = await browser.navigate('http://auth.test.localhost/oauth/authorize', {
        method: 'POST',
        from: 'https://rp.example/',
        cookies: null,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(sent as Record<string, string>).toString(),
      });
      assert.equal(posted.status, 303);
      assert.equal(posted.cookies.length, 0);
      const asGet = Object.fromEntries(new URL(posted.location ?? '').searchParams);
      assert.deepEqual(asGet, sent);
      checkSuccess(on.first, sent, await on.first.authorize(browser, asGet));
    },
  },
  {
    name: 'oidcc-server-client-secret-post',
    shows: 'the whole flow with client_secret_post',
    run: async ({ on, ask }) => void (await completeFlow(on.byPost, (await fullReader(on.server)).browser, ask())),
  },
  {
    name: 'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
    shows: 'request_uri is refused with request_uri_not_supported, as the metadata says',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const sent = on.first.request(ask({ request_uri: 'https://rp.example/request.jwt' }));
      checkRefusal(on.first, sent, await on.first.authorize(browser, sent), ['request_uri_not_supported']);
      assert.equal(
        (await on.first.get('/.well-known/openid-configuration')).json().request_uri_parameter_supported,
        false,
      );
    },
  },
  {
    name: 'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
    shows: 'a request object is refused with request_not_supported, never ignored',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const sent = on.first.request(ask({ request: `${part({ alg: 'none' })}.${part({ state: 'inner' })}.` }));
      checkRefusal(on.first, sent, await on.first.authorize(browser, sent), ['request_not_supported']);
      assert.equal((await on.first.get('/.well-known/openid-configuration')).json().request_parameter_supported, false);
    },
  },
  {
    name: 'oidcc-claims-essential',
    shows: 'an essential claim asked for at userinfo is given there and not in the ID token',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { userinfo, id } = await completeFlow(
        on.first,
        browser,
        ask({ claims: '{"userinfo":{"name":{"essential":true}}}' }),
      );
      assert.equal(userinfo['name'], 'Test Reader');
      assert.equal(id.payload['name'], undefined);
    },
  },
  {
    name: 'oidcc-ensure-request-object-with-redirect-uri',
    shows: 'a good redirect URI inside a request object does not mend a bad one outside',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const request = signJws({ alg: 'ES256' }, { client_id: 'first', redirect_uri: REDIRECT }, privateKey);
      const outcome = await on.first.authorize(browser, ask({ redirect_uri: 'https://evil.example/cb', request }));
      assert.deepEqual([outcome.to, outcome.last.status], [null, 400]);
    },
  },
  {
    name: 'oidcc-refresh-token',
    shows: 'refresh gives a new access token and the same identity, to its own client only',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const first = await completeFlow(on.first, browser, ask({ scope: 'openid offline_access', prompt: 'consent' }));
      const second = await completeFlow(
        on.second,
        browser,
        ask({ scope: 'openid offline_access', prompt: 'consent', nonce: 'n'.repeat(43) }),
      );
      assert.ok(
        (await on.first.get('/.well-known/openid-configuration'))
          .json()
          .grant_types_supported.includes('refresh_token'),
      );
      const refreshed = checkTokenAnswer(await on.first.refresh(first.tokens.refresh_token ?? '', { scope: 'openid' }));
      assert.notEqual(refreshed.access_token, first.tokens.access_token);
      const { payload } = verifyJws(refreshed.id_token, await fetchJwks(on.first));
      for (const claim of ['iss', 'sub', 'aud', 'auth_time']) assert.deepEqual(payload[claim], first.id.payload[claim]);
      assert.ok(Number(payload['iat']) >= Number(first.id.payload['iat']));
      assert.equal((await on.first.userinfo(refreshed.access_token)).status, 200);
      checkTokenError(await on.first.refresh(second.tokens.refresh_token ?? ''), 'invalid_grant');
      checkTokenAnswer(await on.second.refresh(second.tokens.refresh_token ?? ''));
    },
  },
  {
    name: 'oidcc-ensure-request-with-valid-pkce-succeeds',
    shows: 'PKCE with S256 works',
    run: async ({ on, ask }) => {
      const { browser } = await fullReader(on.server);
      const { verifier, request } = makePkce();
      await completeFlow(on.first, browser, ask(request), { form: { code_verifier: verifier } });
    },
  },
];
