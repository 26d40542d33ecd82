// The sign-in functions of the published client for other providers, unchanged; the providers' own scripts are played here, as
// they would be in a page.

import test from 'ava';
import { startTestServer } from '../support/server.ts';
import { startFakeProvider } from '../support/upstream_provider.ts';
import { browserOf, ENVIRONMENT, realmYaml, whoIs } from '../upstream/setup.ts';
import { startFronts } from './client.ts';
import { NEWS } from './wire.ts';

type Begun = { serverSideLoginPath: string; login(): Promise<Record<string, unknown>> };
type Social = Record<
  'withGoogleLogin' | 'withFacebookLogin' | 'withLinkedinLogin',
  (options: object) => Promise<Begun> | Begun
> & {
  withAppleLogin(redirectUrl: string): Promise<Begun> | Begun;
};

const idp = await startFakeProvider();
const server = await startTestServer();
const at = (userinfo: string, more = '') =>
  `endpoints: { authorization: "${idp.issuer}/authorize", token: "${idp.issuer}/token", userinfo: "${idp.issuer}${userinfo}"${more} }`;
const known = (provider: string, more: string) =>
  `{ provider: ${provider}, client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", ${more} }`;
await server.apply(
  realmYaml([
    known('google', `issuer: "${idp.issuer}", inspection: "${idp.issuer}/tokeninfo"`),
    known('facebook', `${at('/me')}, inspection: "${idp.issuer}/debug_token"`),
    known(
      'linkedin',
      `issuer: "${idp.issuer}", ${at('/userinfo', `, jwks: "${idp.issuer}/jwks"`)}, inspection: "${idp.issuer}/introspect"`,
    ),
  ]),
  ENVIRONMENT,
);
const fronts = await startFronts(server);
test.after.always(() => fronts.close());
test.after.always(() => server.close());
test.after.always(() => idp.close());

/** What the scripts of the providers leave in a page, with a token of theirs. */
function playScripts(token: string) {
  Object.assign(globalThis, {
    FB: {
      login: (done: (answer: object) => void) => done({ status: 'connected', authResponse: { accessToken: token } }),
      api: (_path: string, _fields: object, done: (answer: object) => void) => done({ email: 'somebody@example.com' }),
    },
    gapi: {
      load: (_name: string, done: () => void) => done(),
      client: {},
      auth2: {
        getAuthInstance: () => ({
          signIn: () => Promise.resolve({ getAuthResponse: () => ({ access_token: token }) }),
        }),
      },
    },
    IN: {
      User: { authorize: (done: () => void) => done(), isAuthorized: () => true },
      ENV: { auth: { oauth_token: token } },
    },
  });
}

for (const [provider, method] of [
  ['google', 'withGoogleLogin'],
  ['facebook', 'withFacebookLogin'],
  ['linkedin', 'withLinkedinLogin'],
] as const) {
  test.serial(`official client: ${method} signs in by its link, and by the token of the script`, async (t) => {
    const person = idp.reset();
    playScripts(idp.makeAccessToken(person));
    const byScript = browserOf(server, [idp]);
    const { client, sent, as } = fronts.clientOf(byScript, 'news');
    const social = client as unknown as Social;
    const begun = await social[method]({
      clientId: 'x',
      appId: 'x',
      redirectUrl: `${NEWS}/story`,
      emailMandatory: false,
      scope: 'email',
    });
    t.is(begun.serverSideLoginPath, `/api/auth/v1/login?auth-provider=${provider}&redirect-url=${NEWS}/story`);
    const byLink = browserOf(server, [idp]);
    const walked = await byLink.follow(`${NEWS}${begun.serverSideLoginPath}`, { from: NEWS });
    t.is(walked.hops.at(-1), `${NEWS}/story`);
    t.is((await whoIs(byLink, NEWS))?.['email'], person.email);

    const answer = await as(() => begun.login());
    t.is((answer['user'] as { email: string }).email, person.email);
    t.like(sent.at(-1), { method: 'POST', path: `/api/login/${provider}`, status: 200 });
    t.is((await whoIs(byScript, NEWS))?.['email'], person.email);

    playScripts('a token that the provider never made');
    const refused = await social[method]({
      clientId: 'x',
      appId: 'x',
      redirectUrl: NEWS,
      emailMandatory: false,
      scope: 'email',
    });
    const error = (await t.throwsAsync(() => as(() => refused.login()))) as Error & { status?: number };
    t.is(error.status, 401);
    t.is(typeof (JSON.parse(error.message) as { message: unknown }).message, 'string');
  });
}

test.serial('official client: withAppleLogin gives the link', async (t) => {
  const { client } = fronts.clientOf(browserOf(server, [idp]), 'news');
  const begun = await (client as unknown as Social).withAppleLogin(`${NEWS}/story`);
  t.is(begun.serverSideLoginPath, `/api/auth/v1/login?auth-provider=apple&redirect-url=${NEWS}/story`);
});
