// Independent clients, unmodified, against the running server over http on a loopback name and over https: openid-client,
// oauth4webapi, passport-openidconnect and simple-oauth2, each as its documentation says.

import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import test from 'ava';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { resolveLocalhost, startReachable } from '../support/real_ports.ts';
import { putClients, REDIRECT, SECRET, walk } from '../support/relying_party.ts';

const require = createRequire(import.meta.url);
const { AuthorizationCode } = require('simple-oauth2');
const PassportStrategy = require('passport-openidconnect');

resolveLocalhost();
const KEYS = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
const jwk = { ...(await crypto.subtle.exportKey('jwk', KEYS.publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
const AFTER = 'https://rp.example/after';

const common = { scopes: ['openid', 'email', 'profile', 'offline_access'], post_logout_redirect_uris: [AFTER] };

async function prepare(scheme: 'http' | 'https') {
  const reachable = await startReachable(scheme);
  await putClients(reachable.server, [
    { id: 'strict', ...common },
    { id: 'relaxed', ...common, require_pkce: false },
    { id: 'posting', ...common, token_endpoint_auth_method: 'client_secret_post' },
    {
      id: 'keyed',
      ...common,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
      id_token_signed_response_alg: 'ES256',
      access_token: { format: 'jwt' },
      require_pushed_authorization_requests: true,
    },
    { id: 'app', ...common, token_endpoint_auth_method: 'none' },
    { id: 'passport', ...common, token_endpoint_auth_method: 'client_secret_post', require_pkce: false },
    { id: 'machine', ...common, grant_types: ['client_credentials'], scopes: ['reports'] },
  ]);
  return { scheme, ...reachable };
}

const providers = [await prepare('http'), await prepare('https')];
test.after.always(async () => {
  for (const { close } of providers) await close();
});

for (const { scheme, server, issuer } of providers) {
  /** A reader signs in, allows, and lands on the client with the answer. */
  async function visit(url: string | URL) {
    const account = await server.makeAccount();
    const browser = server.browser();
    const outcome = await walk(browser, String(url), { account, issuer });
    if (!outcome.to || !outcome.answer)
      throw new Error(
        `no answer: ${outcome.pages.join(' ')} ${outcome.last.status} ${outcome.last.text.slice(0, 300)}`,
      );
    return { account, browser, ...outcome, to: outcome.to, answer: outcome.answer };
  }

  const execute = scheme === 'http' ? [openid.allowInsecureRequests] : [];
  const discover = (id: string, authentication: openid.ClientAuth, metadata: Partial<openid.ClientMetadata> = {}) =>
    openid.discovery(new URL(issuer), id, { ...metadata }, authentication, { execute });

  for (const [id, authentication] of [
    ['strict', openid.ClientSecretBasic(SECRET)],
    ['posting', openid.ClientSecretPost(SECRET)],
    ['app', openid.None()],
  ] as const) {
    test(`openid-client 6 over ${scheme}: ${id}: code with PKCE, userinfo, refresh, ${id === 'app' ? '' : 'introspection, '}revocation, logout`, async (t) => {
      const config = await discover(id, authentication);
      const verifier = openid.randomPKCECodeVerifier();
      const [state, nonce] = [openid.randomState(), openid.randomNonce()];
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope: 'openid email',
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
      const { account, to, browser } = await visit(url);
      const tokens = await openid.authorizationCodeGrant(config, new URL(to), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const sub = tokens.claims()?.sub ?? '';
      t.is((await openid.fetchUserInfo(config, tokens.access_token, sub)).email, account.email);
      const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '');
      t.is(refreshed.claims()?.sub, sub);
      if (id !== 'app') t.true((await openid.tokenIntrospection(config, refreshed.access_token)).active);
      await openid.tokenRevocation(config, refreshed.refresh_token ?? '');
      await t.throwsAsync(openid.fetchUserInfo(config, refreshed.access_token, sub));
      const end = openid.buildEndSessionUrl(config, {
        id_token_hint: tokens.id_token ?? '',
        post_logout_redirect_uri: AFTER,
        state: 'bye',
      });
      t.is((await walk(browser, end.href, { issuer })).to, `${AFTER}?state=bye`);
    });
  }

  test(`openid-client 6 over ${scheme}: private_key_jwt, pushed request, form post, DPoP, JWT access token, ES256`, async (t) => {
    const config = await discover('keyed', openid.PrivateKeyJwt({ key: KEYS.privateKey, kid: 'key-1' }), {
      id_token_signed_response_alg: 'ES256',
    });
    const dpop = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = await openid.buildAuthorizationUrlWithPAR(
      config,
      {
        redirect_uri: REDIRECT,
        scope: 'openid email',
        state,
        response_mode: 'form_post',
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      },
      { DPoP: dpop },
    );
    const { account, to, answer, via } = await visit(url);
    t.is(via, 'form_post');
    const arrived = new Request(to, { method: 'POST', body: answer });
    const tokens = await openid.authorizationCodeGrant(
      config,
      arrived,
      { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true },
      undefined,
      { DPoP: dpop },
    );
    t.is(tokens.token_type, 'dpop');
    const info = await openid.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? '', { DPoP: dpop });
    t.is(info.email, account.email);
    await t.throwsAsync(
      openid.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? ''),
      undefined,
      'worth nothing without its key',
    );
  });

  test(`openid-client 6 over ${scheme}: client credentials`, async (t) => {
    const config = await discover('machine', openid.ClientSecretBasic(SECRET));
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'reports' });
    t.is((await openid.tokenIntrospection(config, tokens.access_token)).scope, 'reports');
  });

  test(`oauth4webapi over ${scheme}: discovery, code with PKCE, ID token, userinfo, refresh`, async (t) => {
    const insecure = { [oauth.allowInsecureRequests]: scheme === 'http' };
    const as = await oauth.processDiscoveryResponse(
      new URL(issuer),
      await oauth.discoveryRequest(new URL(issuer), insecure),
    );
    const client: oauth.Client = { client_id: 'strict' };
    const authentication = oauth.ClientSecretBasic(SECRET);
    const [verifier, state, nonce] = [
      oauth.generateRandomCodeVerifier(),
      oauth.generateRandomState(),
      oauth.generateRandomNonce(),
    ];
    const url = new URL(as.authorization_endpoint ?? '');
    for (const [name, value] of Object.entries({
      client_id: 'strict',
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: 'openid email offline_access',
      state,
      nonce,
      max_age: '1000',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }))
      url.searchParams.set(name, value);
    const { account, to } = await visit(url);
    const parameters = oauth.validateAuthResponse(as, client, new URL(to), state);
    const answer = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      authentication,
      parameters,
      REDIRECT,
      verifier,
      insecure,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, {
      expectedNonce: nonce,
      maxAge: 1000,
      requireIdToken: true,
    });
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    const info = await oauth.processUserInfoResponse(
      as,
      client,
      claims?.sub ?? '',
      await oauth.userInfoRequest(as, client, tokens.access_token, insecure),
    );
    t.is(info.email, account.email);
    const refreshed = await oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token ?? '', insecure),
    );
    t.is(oauth.getValidatedIdTokenClaims(refreshed)?.sub, claims?.sub);
  });

  test(`passport-openidconnect over ${scheme}: a strategy signs a reader in`, async (t) => {
    const options = {
      issuer,
      authorizationURL: `${issuer}/oauth/authorize`,
      tokenURL: `${issuer}/oauth/token`,
      userInfoURL: `${issuer}/oauth/userinfo`,
      clientID: 'passport',
      clientSecret: SECRET,
      callbackURL: REDIRECT,
      skipUserProfile: false,
      scope: ['profile', 'email'],
    };
    type Profile = { id: string; displayName: string; emails: { value: string }[] };
    const strategy = new PassportStrategy(
      options,
      (_: string, profile: Profile, done: (error: null, user: Profile) => void) => done(null, profile),
    );
    const session = {};
    const meet = (request: object) =>
      new Promise<{ redirect: string } | { user: Profile }>((resolve, reject) => {
        const one = Object.create(strategy);
        one.redirect = (url: string) => resolve({ redirect: url });
        one.success = (user: Profile) => resolve({ user });
        one.fail = (why: unknown) => reject(new Error(`refused: ${JSON.stringify(why)}`));
        one.error = reject;
        one.authenticate({ session, query: {}, headers: {}, ...request }, {});
      });
    const start = await meet({});
    t.true('redirect' in start);
    const { account, answer } = await visit('redirect' in start ? start.redirect : '');
    const arrived = await meet({ query: Object.fromEntries(answer) });
    t.deepEqual('user' in arrived ? [arrived.user.id, arrived.user.displayName, arrived.user.emails[0]?.value] : [], [
      account.sub,
      'Test Reader',
      account.email,
    ]);
  });

  for (const [id, options] of [
    ['relaxed', {}],
    ['posting', { authorizationMethod: 'body' }],
  ] as const) {
    test(`simple-oauth2 over ${scheme}: ${id}: code, refresh, revocation`, async (t) => {
      await putClients(server, [
        {
          id: `${id}-simple`,
          ...common,
          require_pkce: false,
          token_endpoint_auth_method: id === 'posting' ? 'client_secret_post' : 'client_secret_basic',
        },
      ]);
      const client = new AuthorizationCode({
        client: { id: `${id}-simple`, secret: SECRET },
        auth: {
          tokenHost: issuer,
          authorizePath: '/oauth/authorize',
          tokenPath: '/oauth/token',
          revokePath: '/oauth/revoke',
        },
        options,
      });
      const { answer } = await visit(
        client.authorizeURL({ redirect_uri: REDIRECT, scope: 'openid email', state: 'st' }),
      );
      const token = await client.getToken({ code: answer.get('code'), redirect_uri: REDIRECT });
      const refreshed = await token.refresh();
      t.not(refreshed.token.access_token, token.token.access_token);
      await refreshed.revokeAll();
      await t.throwsAsync(refreshed.refresh());
    });
  }
}

test('the certificate of the test CA is refused by whoever does not know the CA', async (t) => {
  const { makeTestCa } = await import('../support/test_ca.ts');
  const { cert } = makeTestCa(['auth.localhost']);
  const { X509Certificate } = await import('node:crypto');
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  t.false(new X509Certificate(cert).verify(foreign.publicKey));
});
