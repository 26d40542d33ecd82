// No host and no address of a client may be a pattern: a forgotten subdomain that somebody else takes over would be a client.

import test from 'ava';
import { makeInitialToken } from '../../server/oauth/oauth.ts';
import { setUp } from '../commands/setup.ts';
import { send } from '../support/browser.ts';
import { startConformance } from '../support/conformance.ts';
import { ISSUER } from '../support/relying_party.ts';
import { HOSTS } from '../support/server.ts';

const setup = await setUp();
const on = await startConformance();
await on.server.apply(
  `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, settings: { dynamic_registration: on }, clients: [] }]`,
);
test.after.always(async () => {
  await on.server.close();
  await setup.close();
});

const realmWith = (client: string, auth = 'auth.a.test') =>
  `realms: [{ slug: w, auth_domain: '${auth}', clients: [${client}] }]`;
const site = (domain: string) => `{ id: s, kind: first-party, domain: '${domain}' }`;
const product = (more: string) =>
  `{ id: p, kind: third-party, secret: ${'s'.repeat(40)}, redirect_uris: ['https://rp.a.test/cb'], ${more} }`;

for (const [title, file] of [
  ['a site', realmWith(site('*.a.test'))],
  ['a site, in the middle', realmWith(site('news.*.test'))],
  ['a site, as part of a label', realmWith(site('news*.a.test'))],
  ['an auth domain', realmWith(site('news.a.test'), '*.a.test')],
  ['a redirect URI', realmWith(product('').replace('https://rp.a.test/cb', 'https://*.a.test/cb'))],
  ['a path of a redirect URI', realmWith(product('').replace('https://rp.a.test/cb', 'https://rp.a.test/*'))],
  ['a post-logout redirect URI', realmWith(product("post_logout_redirect_uris: ['https://*.a.test/out']"))],
  ['a back-channel logout URI', realmWith(product("backchannel_logout_uri: 'https://*.a.test/logout'"))],
] as const) {
  test(`security 41, RFC 9700 §4.1.3: a wildcard in the realm file as ${title} is refused, and nothing is stored`, async (t) => {
    const faults = await setup.refuse(file);
    t.is(faults.length, 1, faults.join('\n'));
    t.regex(faults[0] ?? '', /wildcard cannot be registered/);
    t.false((await setup.exported()).includes('*'));
  });
}

test('security 41, RFC 9700 §4.1.3: a client that registers itself with a wildcard is refused with 400', async (t) => {
  const register = async (metadata: Record<string, unknown>) => {
    const token = await makeInitialToken(on.server.services.db, {
      realmId: (await on.server.realm()).id,
      uses: 1,
      ttlSeconds: 60,
    });
    return send(on.server.port, `${ISSUER}/oauth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify(metadata),
    });
  };
  for (const uri of ['https://*.a.test/cb', 'https://a.test/*', 'https://a*.test/cb']) {
    const answer = await register({ redirect_uris: [uri] });
    t.deepEqual([answer.status, answer.json().error], [400, 'invalid_redirect_uri'], uri);
  }
  t.is((await register({ redirect_uris: ['https://one.a.test/cb'] })).status, 201, 'whole names are fine');
});

test('security 41: a subdomain of a registered host is no site', async (t) => {
  for (const host of [`x.${HOSTS.auth}`, `www.${HOSTS.news}`, HOSTS.auth.split('.').slice(1).join('.')])
    t.is((await send(on.server.port, `http://${host}/`)).status, 421, host);
});
