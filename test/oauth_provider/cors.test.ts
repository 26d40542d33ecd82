// Which pages may read which answers of the provider: what is public, everybody's; what a public client calls, that client's.

import test from 'ava';
import { type Answer, send } from '../support/browser.ts';
import { checkTokenAnswer, startConformance } from '../support/conformance.ts';
import {
  createRelyingParty,
  encode,
  ISSUER,
  makePkce,
  putClients,
  random,
  signedInReader,
} from '../support/relying_party.ts';

const SPA = 'https://spa.example';
const OTHER_SPA = 'https://other-spa.example:8443';
const on = await startConformance();
const redirect = (origin: string) => ({ redirect_uris: [`${origin}/cb`, `${origin}/silent`] });
const open = { token_endpoint_auth_method: 'none', consent: 'implied' };
await putClients(on.server, [
  { id: 'spa', ...open, ...redirect(SPA) },
  { id: 'other-spa', ...open, ...redirect(OTHER_SPA) },
  { id: 'off', ...open, ...redirect('https://off.example'), disabled: true },
  { id: 'confidential', require_pkce: false, consent: 'implied', ...redirect('https://confidential.example') },
]);
await on.server.apply(
  `realms: [{ slug: other, auth_domain: auth.other.localhost, clients: [{ id: far, kind: third-party, token_endpoint_auth_method: none, redirect_uris: ['https://far.example/cb'] }] }]`,
);
test.after.always(() => on.server.close());
const spa = createRelyingParty(on.server, 'spa', { method: 'none', redirectUri: `${SPA}/cb` });

const STRANGERS = [
  'https://evil.example',
  'null',
  'http://spa.example',
  'https://spa.example:8443',
  'https://spa.example.evil.example',
  'https://evilspa.example',
  'https://x.spa.example',
  `${SPA}/`,
  SPA.toUpperCase(),
  'https://confidential.example',
  'https://off.example',
  'https://far.example',
  '*',
  'https://rp.example, https://spa.example',
];
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const CALLS = { token: 'POST', revoke: 'POST', userinfo: 'GET' } as const;
type Call = keyof typeof CALLS;

const ask = (path: string, headers: Record<string, string>, method = 'GET', body = '') =>
  send(on.server.port, `${ISSUER}${path}`, { method, headers: { ...(method === 'POST' && FORM), ...headers }, body });
const preflight = (path: string, method: string, headers: Record<string, string>) =>
  ask(path, { 'Access-Control-Request-Method': method, ...headers }, 'OPTIONS');
const readers = ({ headers }: Answer) => headers['access-control-allow-origin'];

/** Holds for every answer of these endpoints, whoever asks. */
function isCareful({ headers }: Answer): boolean {
  const vary = String(headers.vary).toLowerCase().split(/, */);
  return headers['access-control-allow-credentials'] === undefined && vary.includes('origin');
}

for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/oauth/jwks']) {
  test(`security 59: ${path} may be read by every page, without credentials`, async (t) => {
    for (const headers of [{}, { Origin: SPA }, { Origin: 'https://evil.example' }, { Origin: 'null' }]) {
      const answer = await ask(path, headers);
      t.is(readers(answer), '*');
      t.is(answer.headers['access-control-allow-credentials'], undefined);
    }
  });
}

for (const [call, method] of Object.entries(CALLS) as [Call, string][]) {
  const path = `/oauth/${call}`;
  test(`security 59: ${path} may be read by the pages of public clients alone, a refusal too, never with credentials`, async (t) => {
    for (const origin of [SPA, OTHER_SPA, 'https://rp.example']) {
      const answer = await ask(path, { Origin: origin }, method);
      t.is(readers(answer), origin);
      t.true(answer.status >= 400);
      t.true(isCareful(answer));
      const asked = await preflight(path, method, {
        Origin: origin,
        'Access-Control-Request-Headers': 'authorization',
      });
      t.is(asked.status, 204);
      t.is(readers(asked), origin);
      t.regex(String(asked.headers['access-control-allow-methods']), new RegExp(`\\b${method}\\b`));
      t.regex(String(asked.headers['access-control-allow-headers']), /Authorization, Content-Type, DPoP/);
      t.true(isCareful(asked));
      t.is(asked.text, '');
    }
    for (const origin of STRANGERS) {
      for (const answer of [
        await ask(path, { Origin: origin }, method),
        await preflight(path, method, { Origin: origin, 'Access-Control-Request-Headers': 'authorization' }),
      ]) {
        t.is(readers(answer), undefined, origin);
        t.true(isCareful(answer), origin);
      }
    }
    const plain = await ask(path, {}, method);
    t.is(readers(plain), undefined);
    t.true(isCareful(plain));
    t.is(readers(await preflight(path, 'DELETE', { Origin: SPA })), undefined, 'another method');
    t.is((await ask(path, { Origin: SPA }, 'OPTIONS')).status, 405, 'OPTIONS that is no preflight');
  });
}

test('security 59: no other endpoint of the provider may be read from another origin', async (t) => {
  for (const [method, path] of [
    ['GET', '/oauth/authorize'],
    ['POST', '/oauth/authorize'],
    ['POST', '/oauth/introspect'],
    ['POST', '/oauth/par'],
    ['POST', '/oauth/register'],
    ['GET', '/oauth/end_session'],
    ['GET', '/oauth/consent'],
    ['GET', '/login'],
    ['GET', '/api/auth/v1/users/me'],
  ] as const)
    for (const origin of [SPA, 'https://evil.example']) {
      t.is(readers(await ask(path, { Origin: origin }, method)), undefined, path);
      t.is(readers(await preflight(path, method, { Origin: origin })), undefined, path);
    }
});

test('security 59: a public client goes through its whole flow from its own pages; answers to another client are not for them', async (t) => {
  const { browser } = await signedInReader(on.server);
  const { verifier, request } = makePkce();
  const { answer } = await spa.authorize(browser, request);
  const redeemed = await spa.redeem(answer?.get('code'), { code_verifier: verifier }, { Origin: SPA });
  const tokens = checkTokenAnswer(redeemed);
  t.is(readers(redeemed), SPA);
  const info = await spa.userinfo(tokens.access_token, { headers: { Origin: SPA } });
  t.deepEqual([info.status, readers(info)], [200, SPA]);
  t.is(readers(await spa.userinfo(tokens.access_token, { headers: { Origin: OTHER_SPA } })), undefined);
  const refreshed = await spa.refresh(tokens.refresh_token ?? '', {}, { Origin: SPA });
  t.is(readers(refreshed), SPA);
  t.is(readers(await spa.post('/oauth/revoke', { token: refreshed.json().refresh_token }, { Origin: SPA })), SPA);
  t.is(readers(await spa.refresh(tokens.refresh_token ?? '', {}, { Origin: OTHER_SPA })), undefined);

  const confidential = createRelyingParty(on.server, 'confidential', {
    redirectUri: 'https://confidential.example/cb',
  });
  const theirs = await confidential.signIn((await signedInReader(on.server)).browser);
  for (const origin of [SPA, 'https://confidential.example']) {
    t.is(readers(await confidential.refresh(theirs.refresh_token, {}, { Origin: origin })), undefined);
    t.is(readers(await confidential.userinfo(theirs.access_token, { headers: { Origin: origin } })), undefined);
  }
});

test('security 59: a client that is registered, or switched off, may read, or not, at once', async (t) => {
  const origin = `https://${random()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, 'x')}.example`;
  const reads = async () => readers(await ask('/oauth/token', { Origin: origin }, 'POST', encode({}))) === origin;
  const until = async (wanted: boolean) => {
    while ((await reads()) !== wanted) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  t.false(await reads());
  await putClients(on.server, [{ id: 'late', ...open, ...redirect(origin) }]);
  await until(true);
  await putClients(on.server, [{ id: 'late', ...open, ...redirect(origin), disabled: true }]);
  await until(false);
  t.pass();
});
