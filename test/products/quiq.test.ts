import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { send } from '../support/browser.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { addByTemplate, createQuiq, run } from './support.ts';

const AUTH = originOf('auth');
const server = await startTestServer();
const { form, stdout } = await addByTemplate(server, ['--id', 'chat', '--template', 'quiq', '--tenant', 'harbour']);
const quiq = createQuiq(server, form, 'harbour');
test.after.always(() => server.close());

/** A reader with every name that Quiq has a field for. */
async function makeBilly() {
  const account = await server.makeAccount({
    name: 'Billy Bob',
    username: `billy.${Math.random().toString(36).slice(2)}`,
  });
  await server.services.db
    .builder('accounts')
    .where({ id: account.id })
    .update({ first_name: 'Billy', last_name: 'Bob', phone_number: '+49123' });
  return account;
}

test('contract §4 Quiq: the template prints what goes into each field of its form, and the secret once', (t) => {
  t.deepEqual(Object.keys(form), ['Client', 'Scope', 'Secret', 'Authorization URL', 'Token URL', 'WhoAmI URL']);
  t.deepEqual(
    { ...form, Secret: '' },
    {
      Client: 'chat',
      Scope: 'openid profile email',
      Secret: '',
      'Authorization URL': `${AUTH}/oauth/authorize`,
      'Token URL': `${AUTH}/oauth/token`,
      'WhoAmI URL': `${AUTH}/oauth/userinfo`,
    },
  );
  t.regex(form['Secret']!, /^cws_[A-Za-z0-9_-]{49}$/);
  t.is(stdout.split(form['Secret']!).length, 2);
});

test('contract §4 Quiq: the code arrives at each of the three redirect URIs, without PKCE, and WhoAmI fills the contact record', async (t) => {
  for (const redirect of quiq.redirects) {
    const billy = await makeBilly();
    t.deepEqual(await quiq.authenticate(server.browser(), billy, { redirect }), {
      email: billy.email,
      userName: billy.username,
      fullName: 'Billy Bob',
      firstName: 'Billy',
      lastName: 'Bob',
    });
  }
});

test('RFC 6749 §3.3: the scope that Quiq may leave out or write in its own words gets what the client is registered for', async (t) => {
  for (const scope of [null, 'read']) {
    const billy = await makeBilly();
    const contact = await quiq.authenticate(server.browser(), billy, { redirect: quiq.redirects[0]!, scope });
    t.is(contact['email'], billy.email);
    t.is(contact['firstName'], 'Billy');
  }
});

test('security 113: a mapped answer holds nothing that the granted scopes do not cover', async (t) => {
  const billy = await makeBilly();
  t.deepEqual(
    await quiq.authenticate(server.browser(), billy, { redirect: quiq.redirects[0]!, scope: 'openid email' }),
    { email: billy.email },
  );
});

test('contract §4 Quiq: a field that the reader has not filled is left out of the WhoAmI answer', async (t) => {
  const account = await server.makeAccount({ name: 'Only Name' });
  t.deepEqual(await quiq.authenticate(server.browser(), account, { redirect: quiq.redirects[0]! }), {
    email: account.email,
    fullName: 'Only Name',
  });
});

test('RFC 9700 §4.1.3: another tenant is not a redirect URI of this one', async (t) => {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'chat',
    redirect_uri: 'https://other.goquiq.com/idp/eu/oauth/callback',
  });
  const answer = await server.browser().navigate(`${AUTH}/oauth/authorize?${query}`);
  t.is(answer.status, 400);
  t.is(answer.location, null);
});

test('security 113: WhoAmI without a token, or with a wrong one, is 401', async (t) => {
  for (const headers of [{}, { Authorization: `Bearer ${createTaggedToken('cwa')}` }])
    t.is((await send(server.port, form['WhoAmI URL']!, { headers })).status, 401);
});

test('preview-userinfo prints what WhoAmI would answer', async (t) => {
  const billy = await makeBilly();
  const {
    code,
    stdout: printed,
    stderr,
  } = await run(server, ['clients', 'preview-userinfo', 'chat', billy.email, '--realm', 'test']);
  t.is(code, 0, stderr);
  t.deepEqual(JSON.parse(printed), {
    email: billy.email,
    userName: billy.username,
    fullName: 'Billy Bob',
    firstName: 'Billy',
    lastName: 'Bob',
  });
  const unknown = await run(server, ['clients', 'preview-userinfo', 'nobody', billy.email, '--realm', 'test']);
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /no client nobody\. Known: chat, /);
});

test("contract §4: the mapping of Quiq's document shapes the answer from user, realm, client and roles", async (t) => {
  await server.apply(`
realms:
  - slug: test
    auth_domain: ${AUTH}
    clients:
      - { id: own, kind: third-party, name: Own, secret: "${'s'.repeat(40)}", redirect_uris: [https://own.example/cb], userinfo_mapping: "{user: {id: user.id, sub: user.sub, name: user.name}, realm: realm.slug, client: client.name, roles: roles}" }
`);
  const billy = await makeBilly();
  const { stdout: printed } = await run(server, ['clients', 'preview-userinfo', 'own', billy.email, '--realm', 'test']);
  t.deepEqual(JSON.parse(printed), {
    user: { id: Number(billy.id), sub: billy.sub, name: 'Billy Bob' },
    realm: 'test',
    client: 'Own',
    roles: [],
  });
});
