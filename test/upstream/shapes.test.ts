// The providers of the table, each played by the fake in its own shape.

import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startTestServer } from '../support/server.ts';
import { startFakeProvider } from '../support/upstream_provider.ts';
import { API, AUTH, browserOf, ENVIRONMENT, realmYaml, signIn, walkToAnswer, whoIs } from './setup.ts';

const idp = await startFakeProvider();
const server = await startTestServer();
const at = (userinfo: string, more = '') =>
  `endpoints: { authorization: "${idp.issuer}/authorize", token: "${idp.issuer}/token", userinfo: "${idp.issuer}${userinfo}"${more} }`;
const known = (provider: string, more: string) =>
  `{ provider: ${provider}, client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", trusted_email_domains: [trusted.example], ${more} }`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const APPLE_KEY = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
await server.apply(
  realmYaml([
    known('google', `issuer: "${idp.issuer}"`),
    known('facebook', at('/me')),
    known('github', at('/user', `, emails: "${idp.issuer}/user/emails"`)),
    known('linkedin', `issuer: "${idp.issuer}", ${at('/userinfo', `, jwks: "${idp.issuer}/jwks"`)}`),
    known('microsoft', `issuer: "${idp.issuer}"`),
    `{ provider: apple, client_id: causeway-at-idp, team_id: TEAM123456, key_id: KEY1234567, private_key: "\${APPLE_KEY}", issuer: "${idp.issuer}", ${at('/userinfo', `, jwks: "${idp.issuer}/jwks"`)} }`,
    `{ provider: oauth2, id: forum, client_id: causeway-at-idp, client_secret: "\${IDP_SECRET}", trusted_email_domains: ["*"], claims: { sub: data.url, name: name }, ${at('/userinfo')} }`,
  ]),
  { ...ENVIRONMENT, APPLE_KEY },
);
test.after.always(() => server.close());
test.after.always(() => idp.close());
const newBrowser = () => browserOf(server, [idp]);
const lastAsked = (path: string) => idp.asked.filter((one) => one.path === path).at(-1);

for (const provider of ['google', 'facebook', 'github', 'linkedin', 'microsoft']) {
  test.serial(
    `${provider} signs in at its own address, and what it says of the address counts as its row says`,
    async (t) => {
      const person = idp.reset();
      const reader = newBrowser();
      const answer = await walkToAnswer(reader, provider);
      t.is(new URL(answer).pathname, `${API}/${provider}/callback`);
      await reader.follow(answer, { from: idp.issuer });
      const isVerified = ['google', 'github', 'linkedin'].includes(provider);
      t.like(await whoIs(reader), {
        email: person.email,
        name: 'Grace Example',
        'verification-status': isVerified ? 'email' : null,
      });
      const asked = lastAsked('/authorize')?.query;
      t.is(asked?.has('code_challenge'), provider !== 'linkedin');
      t.is(asked?.has('nonce'), ['google', 'microsoft'].includes(provider));
      t.is(asked?.get('scope')?.includes('openid'), !['facebook', 'github'].includes(provider));
    },
  );
}

test.serial('github: the primary address is the one that counts, and only if it is verified', async (t) => {
  const person = idp.reset({ email_verified: false });
  const reader = newBrowser();
  await signIn(reader, 'github');
  t.like(await whoIs(reader), { email: person.email, 'verification-status': null });
});

test.serial('google: its own word counts for Gmail and for the domain of a Workspace account', async (t) => {
  for (const [more, status] of [
    [{ email: `g${Date.now()}@gmail.com` }, 'email'],
    [{ email: `w${Date.now()}@workspace.example`, hd: 'workspace.example' }, 'email'],
    [{ email: `o${Date.now()}@another.example`, hd: 'workspace.example' }, null],
    [{ email: `p${Date.now()}@another.example` }, null],
  ] as const) {
    idp.reset(more);
    const reader = newBrowser();
    await signIn(reader, 'google');
    t.is((await whoIs(reader))?.['verification-status'], status, more.email);
  }
});

test.serial(
  'apple: the posted answer is continued by a link that carries the cookie, and the name comes along once',
  async (t) => {
    const person = idp.reset({ name: undefined, email: `a${Date.now()}@icloud.com`, email_verified: 'true' });
    const reader = newBrowser();
    const answer = new URL(await walkToAnswer(reader, 'apple'));
    t.is(lastAsked('/authorize')?.query.get('response_mode'), 'form_post');
    const user = JSON.stringify({ name: { firstName: 'Ada', lastName: 'Example' }, email: 'ignored@evil.example' });
    const body = new URLSearchParams({ ...Object.fromEntries(answer.searchParams), user });
    // As browsers do with Lax cookies in a post from another site: they stay at home.
    const posted = await reader.navigate(`${AUTH}${API}/apple/callback`, {
      method: 'POST',
      from: idp.issuer,
      cookies: null,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: idp.issuer },
      body: body.toString(),
    });
    t.is(posted.status, 303);
    t.deepEqual(
      posted.cookies.filter((line) => /qt-auth=[^;]/.test(line)),
      [],
    );
    await reader.follow(String(posted.location), { from: idp.issuer });
    t.like(await whoIs(reader), {
      email: person.email,
      name: 'Ada Example',
      'first-name': 'Ada',
      'verification-status': 'email',
    });

    const secret = String(lastAsked('/token')?.body.get('client_secret'));
    t.deepEqual(decodeProtectedHeader(secret), { alg: 'ES256', kid: 'KEY1234567' });
    t.like(decodeJwt(secret), { iss: 'TEAM123456', sub: 'causeway-at-idp', aud: idp.issuer });
  },
);

test.serial('apple: a posted answer without the browser that set out signs nobody in', async (t) => {
  idp.reset();
  const answer = await walkToAnswer(newBrowser(), 'apple');
  const stranger = newBrowser();
  const posted = await stranger.navigate(answer.split('?')[0] as string, {
    method: 'POST',
    from: idp.issuer,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: idp.issuer },
    body: answer.split('?')[1] as string,
  });
  t.is((await stranger.follow(String(posted.location), { from: idp.issuer })).status, 400);
  t.is(await whoIs(stranger), null);
});

test.serial('any OAuth 2.0 provider: claims are found where the realm file says', async (t) => {
  const person = idp.reset({ data: { url: 'person-77' }, name: 'Forum Person' });
  const reader = newBrowser();
  await signIn(reader, 'forum');
  t.like(await whoIs(reader), { email: person.email, name: 'Forum Person' });
  const row = await server.services.db.builder('upstream_identities').where({ subject: 'person-77' }).first();
  t.is(row?.['issuer'], idp.issuer);
});

test.serial('a picture that is no https address is left out, and so is a name that is none', async (t) => {
  idp.reset({ picture: 'javascript:alert(1)', name: `x${'y'.repeat(300)}`, given_name: 'Tab\u0000' });
  const reader = newBrowser();
  await signIn(reader, 'google');
  t.like(await whoIs(reader), { 'avatar-url': null, name: null, 'first-name': null });
});
