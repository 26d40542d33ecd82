// What the issuer publishes: the same for everybody on every host, public, cached for a short time, and nothing that is not
// offered.

import test from 'ava';
import { type Answer, send } from '../support/browser.ts';
import { HOSTS, originOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const OTHER = 'auth.other.localhost';
const server = await startTestServer({
  yaml: `${REALM_YAML}
  - { slug: other, auth_domain: ${OTHER}, clients: [] }
`,
});
test.after.always(() => server.close());
const AUTH = originOf('auth');
const DISCOVERY = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];
const JWKS = '/oauth/jwks';
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  send(server.port, `${AUTH}${path}`, { method, headers });

for (const path of DISCOVERY) {
  test(`security 39, OpenID Connect Discovery §4.3, RFC 8414 §3.3: the issuer is the auth domain's, whatever host and forwarded headers say (${path})`, async (t) => {
    const own = await get(path);
    t.is(own.json().issuer, AUTH);
    const forwarded = {
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Port': '4443',
      Forwarded: 'host=evil.example;proto=https',
      'X-Original-Host': 'evil.example',
    };
    t.is((await get(path, forwarded)).text, own.text);
    for (const host of [
      HOSTS.auth.toUpperCase(),
      `${HOSTS.auth}.`,
      `${HOSTS.auth}:80`,
      `${HOSTS.auth}:${server.port}`,
    ]) {
      const answer = await get(path, { Host: host });
      if (answer.status === 200) t.is(answer.text, own.text, host);
      else t.true([400, 421].includes(answer.status), `${host} ${answer.status}`);
    }
    for (const [host, status] of [
      ['evil.example', 421],
      [`${HOSTS.auth}.evil.example`, 421],
      ['127.0.0.1', 421],
      [HOSTS.news, 404],
    ] as const) {
      const answer = await get(path, { Host: host });
      t.is(answer.status, status, host);
      t.false(answer.text.includes('"issuer"'));
    }
    const other = (await get(path, { Host: OTHER })).json();
    t.is(other.issuer, `http://${OTHER}`, 'another realm is another issuer');
    t.false(JSON.stringify(other).includes(HOSTS.auth));
  });
}

function isShortAndPublic(answer: Answer): boolean {
  const seconds = Number(/^public, max-age=(\d+)$/.exec(String(answer.headers['cache-control']))?.[1]);
  return seconds > 0 && seconds <= 300;
}

for (const path of [...DISCOVERY, JWKS]) {
  test(`security 78: ${path} is public and cached for 300 s at most, without a cookie, and HEAD says the same`, async (t) => {
    const { browser } = await signedInBrowser(server);
    const plain = await get(path);
    const signedIn = await browser.ask(`${AUTH}${path}`);
    const head = await get(path, {}, 'HEAD');
    for (const answer of [plain, signedIn, head]) {
      t.is(answer.status, 200);
      t.true(isShortAndPublic(answer), String(answer.headers['cache-control']));
      t.deepEqual(answer.cookies, []);
      for (const name of ['pragma', 'vary', 'set-cookie']) t.is(answer.headers[name], undefined, name);
    }
    t.is(signedIn.text, plain.text);
    t.is(head.text, '');
    const lasting = ({ headers }: Answer) => {
      const { date: _, 'x-request-id': __, ...rest } = headers;
      return rest;
    };
    t.deepEqual(lasting(head), lasting(plain));
    t.false(isShortAndPublic(await get(path, {}, 'POST')), 'a refusal is not kept');
  });
}

test('security 134, OpenID Connect Discovery §3: what rests on third-party cookies is neither offered nor advertised', async (t) => {
  for (const path of DISCOVERY) {
    const metadata = (await get(path)).json();
    for (const name of [
      'frontchannel_logout_supported',
      'frontchannel_logout_session_supported',
      'check_session_iframe',
    ])
      t.false(name in metadata, name);
    t.deepEqual(metadata.response_modes_supported, ['query', 'form_post']);
  }
  for (const path of ['/oauth/check_session', '/oauth/frontchannel_logout', '/oauth/session'])
    t.is((await get(path)).status, 404, path);
  // The page after signing out frames nobody, whichever clients there are.
  const page = await get('/signed-out', { Accept: 'text/html' });
  t.notRegex(page.text, /<iframe/i);
  t.notRegex(String(page.headers['content-security-policy']), /frame-src|child-src/);
});
