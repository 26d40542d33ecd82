import test from 'ava';
import { startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { startFakeProvider } from '../support/upstream_provider.ts';
import { API, AUTH, browserOf, ENVIRONMENT, NEWS, realmYaml, settingsYaml, whoIs } from './setup.ts';

const idp = await startFakeProvider();
const server = await startTestServer();
const known = (provider: string, more = '') =>
  `{ provider: ${provider}, client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", trusted_email_domains: [trusted.example]${more} }`;
const userinfo = (path: string) =>
  `authorization: "${idp.issuer}/authorize", token: "${idp.issuer}/token", userinfo: "${idp.issuer}${path}"`;
await server.apply(
  realmYaml([
    known('google', `, issuer: "${idp.issuer}", inspection: "${idp.issuer}/tokeninfo", audiences: [the-ios-app]`),
    known('facebook', `, endpoints: { ${userinfo('/me')} }, inspection: "${idp.issuer}/debug_token"`),
    known(
      'github',
      `, endpoints: { ${userinfo('/user')}, emails: "${idp.issuer}/user/emails" }, inspection: "${idp.issuer}/applications/{client_id}/token"`,
    ),
    known(
      'linkedin',
      `, endpoints: { ${userinfo('/userinfo')}, jwks: "${idp.issuer}/jwks" }, inspection: "${idp.issuer}/introspect"`,
    ),
    `{ provider: oidc, id: corp, issuer: "${idp.issuer}", client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", trusted_email_domains: ["*"] }`,
  ]),
  ENVIRONMENT,
);
test.after.always(() => server.close());
test.after.always(() => idp.close());
const newBrowser = () => browserOf(server, [idp]);
const give = (provider: string, body: Record<string, unknown>, reader = newBrowser()) =>
  reader.post(`${NEWS}${API}/login/${provider}`, body);

function isRefused(t: import('ava').ExecutionContext, answer: import('../support/browser.ts').Answer, status = 401) {
  t.is(answer.status, status, answer.text);
  const { message, user } = answer.json() as { message?: string; user?: unknown };
  t.is(typeof message, 'string');
  t.is(user, undefined);
  t.deepEqual(
    answer.cookies.filter((line) => /^(__Host-)?qt-auth=[^;]/.test(line)),
    [],
  );
}

test.serial('an app signs in with an ID token of the provider, on the site that it asks', async (t) => {
  const person = idp.reset();
  const reader = newBrowser();
  const answer = await give('google', { token: await idp.makeIdToken(person) }, reader);
  t.is(answer.status, 200);
  const body = answer.json() as { user: { email: string }; 'active-sessions-count': number };
  t.is(body.user.email, person.email);
  t.is(body['active-sessions-count'], 1);
  t.truthy(answer.headers['x-qt-auth'], 'an app keeps the token of the header');
  t.is((await whoIs(reader, NEWS))?.['email'], person.email);
});

const NOW = () => Math.floor(Date.now() / 1000);
type Making = [tampering: import('../support/upstream_provider.ts').Tampering, nonce?: string];
const REFUSED: Record<string, Making> = {
  'for another app': [{ claims: (claims) => ({ ...claims, aud: 'another-app' }) }],
  'for ours among others, made for another': [
    { claims: (claims) => ({ ...claims, aud: [claims['aud'], 'x'], azp: 'x' }) },
  ],
  'of another issuer': [{ claims: (claims) => ({ ...claims, iss: 'https://accounts.google.com' }) }],
  expired: [{ claims: (claims) => ({ ...claims, iat: NOW() - 7200, exp: NOW() - 3600 }) }],
  'without an end': [{ claims: ({ exp: _, ...claims }) => claims }],
  'without an audience': [{ claims: ({ aud: _, ...claims }) => claims }],
  unsigned: [{ signing: 'none' }],
  'signed with the client secret': [{ signing: 'HS256' }],
  'signed with a key that is not published': [{ signing: 'unpublished-key' }],
  'with another nonce than the app sent': [{ claims: (claims) => ({ ...claims, nonce: 'a' }) }, 'b'],
  'without the nonce that the app sent': [{}, 'b'],
};
for (const [what, [tampering, nonce]] of Object.entries(REFUSED)) {
  test.serial(`security 203: an ID token ${what} is refused`, async (t) => {
    const person = idp.reset();
    idp.state.tampering = tampering;
    isRefused(t, await give('google', { token: await idp.makeIdToken(person), ...(nonce && { nonce }) }));
  });
}

test.serial('security 203: the audience of an app that the operator listed is taken, with its nonce', async (t) => {
  const person = idp.reset({ aud: 'the-ios-app', nonce: 'of the app' });
  const answer = await give('google', { token: await idp.makeIdToken(person), nonce: 'of the app' });
  t.is(answer.status, 200, answer.text);
});

for (const provider of ['google', 'facebook', 'github', 'linkedin']) {
  test.serial(
    `security 203: an access token of ${provider} counts only if the provider says that it is for our app`,
    async (t) => {
      const person = idp.reset();
      const body = (token: string) => ({ token: { 'access-token': token }, 'set-session': true, client: true });
      isRefused(t, await give(provider, body(idp.makeAccessToken(person, 'another-app'))));
      isRefused(t, await give(provider, body('0123456789abcdef')));
      const reader = newBrowser();
      const answer = await reader.post(`${NEWS}/api/login/${provider}`, body(idp.makeAccessToken(person)));
      t.is(answer.status, 200, answer.text);
      t.is((await whoIs(reader, NEWS))?.['email'], person.email);
    },
  );
}

test.serial(
  'set-session: false answers who it is and begins no session; a second factor keeps that to itself',
  async (t) => {
    const person = idp.reset();
    const body = async (wanted: unknown) => ({
      token: { 'id-token': await idp.makeIdToken(person) },
      'set-session': wanted,
    });
    const reader = newBrowser();
    const answer = await give('google', await body(false), reader);
    t.is(answer.status, 200, answer.text);
    const { user, ...more } = answer.json() as { user: { id: number; email: string } };
    t.is(user.email, person.email);
    t.deepEqual(more, {});
    t.is(answer.headers['x-qt-auth'], undefined);
    t.deepEqual(
      answer.cookies.filter((line) => /^(__Host-)?(qt-auth|tfa-auth)=/.test(line)),
      [],
    );
    t.is(await whoIs(reader, NEWS), null);
    t.is(await countRows(server, 'sessions', { account_id: String(user.id) }), 0);
    isRefused(t, await give('google', await body('no')), 400);
    await server.apply(settingsYaml('second_factor: required'));
    const kept = await give('google', await body(false), reader);
    await server.apply(settingsYaml('second_factor: optional'));
    t.is(kept.status, 200);
    t.like(kept.json(), { code: 'tfa-setup-is-required', user: undefined });
    t.false(kept.cookies.some((line) => line.startsWith('tfa-auth=')));
    t.is((await give('google', await body(true), reader)).status, 200);
    t.is((await whoIs(reader, NEWS))?.['email'], person.email);
  },
);

test.serial('security 203: access tokens of a provider that cannot tell for whom they are, are refused', async (t) => {
  const person = idp.reset();
  isRefused(t, await give('corp', { token: { 'access-token': idp.makeAccessToken(person) } }));
  t.is((await give('corp', { token: await idp.makeIdToken(person) })).status, 200);
});

test.serial('the address that Facebook tells counts as unverified, whatever the operator trusts', async (t) => {
  const person = idp.reset();
  const answer = await give('facebook', { token: idp.makeAccessToken(person) });
  t.is((answer.json() as { user: { 'verification-status': unknown } }).user['verification-status'], null);
});

test.serial('security 161: by token, too, nobody gets into an account by an address alone', async (t) => {
  const account = await server.makeAccount({ email: `v-${Date.now()}@trusted.example` });
  await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const person = idp.reset({ email: account.email, email_verified: 'true' });
  isRefused(t, await give('google', { token: await idp.makeIdToken(person) }));
});

test.serial(
  'google-one-tap: 200 with the user, or 303 to a page of the site; anything else stays where it is',
  async (t) => {
    const person = idp.reset();
    const url = `${NEWS}${API}/login/google-one-tap`;
    const token = await idp.makeIdToken(person);
    const plain = await newBrowser().post(url, { token });
    t.is(plain.status, 200);
    t.is((plain.json() as { user: { email: string } }).user.email, person.email);
    const reader = newBrowser();
    const sent = await reader.post(url, { token, 'redirect-url': `${NEWS}/story` });
    t.is(sent.status, 303);
    t.is(sent.location, `${NEWS}/story`);
    t.is((await whoIs(reader, NEWS))?.['email'], person.email);
    for (const wanted of ['https://evil.test/', '//evil.test', 'javascript:alert(1)', `${AUTH}/`]) {
      const answer = await newBrowser().post(url, { token, 'redirect-url': wanted });
      t.is(answer.status, 200, wanted);
      t.is(answer.location, null);
    }
    isRefused(t, await newBrowser().post(url, { token: 'x.y.z' }));
  },
);

test.serial('faulty bodies are told what to change', async (t) => {
  for (const body of [
    {},
    { token: '' },
    { token: null },
    { token: {} },
    { token: { 'access-token': 1 } },
    { token: ['x'] },
    { token: 'x'.repeat(9000) },
  ])
    isRefused(t, await give('google', body), 400);
  isRefused(t, await give('../x', { token: 'x' }), 404);
  isRefused(t, await give('nobody', { token: 'x' }), 400);
  const foreign = await newBrowser().post(
    `${NEWS}${API}/login/google`,
    { token: 'x' },
    { headers: { Origin: 'https://evil.test' } },
  );
  isRefused(t, foreign, 403);
});

test.serial('R-84: unknown key ids in tokens make the key set be fetched at most once a minute', async (t) => {
  const person = idp.reset();
  await give('google', { token: await idp.makeIdToken(person) });
  const before = idp.count('/jwks');
  idp.state.tampering = { signing: 'unpublished-key' };
  await Promise.all(Array.from({ length: 20 }, async () => give('google', { token: await idp.makeIdToken(person) })));
  t.is(idp.count('/jwks'), before);
});
