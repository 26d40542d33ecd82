import test from 'ava';
import { PAYLOADS } from '../oauth/payloads.ts';
import { API, AUTH, ENVIRONMENT, entryOf, loginUrl, NEWS, realmYaml, startWithProvider, whoIs } from './setup.ts';

const { idp, server, browser, close } = await startWithProvider();
test.after.always(close);
const SPORTS = 'http://sports.test.localhost';

/** The same payload for the sites of this realm, which are on http: there https is the wrong scheme. */
const localise = (payload: string, site: string) =>
  payload
    .replaceAll(':80/', ':81/')
    .replaceAll('http://a.test', 'wrong-scheme')
    .replaceAll('https://a.test', site)
    .replaceAll('wrong-scheme', 'https://a.test')
    .replaceAll('a.test', new URL(site).host);

test.serial(
  'security 205: what may not be come back to is refused before anything begins, on site and auth domain',
  async (t) => {
    idp.reset();
    const before = idp.count('/authorize');
    for (const site of [NEWS, AUTH]) {
      for (const payload of PAYLOADS) {
        const answer = await browser().navigate(loginUrl(site, 'corp', localise(payload, site)), { from: site });
        t.true([400, 414].includes(answer.status), `${answer.status} ${site} ${payload.slice(0, 100)}`);
        t.is(answer.location, null);
      }
    }
    t.is(idp.count('/authorize'), before);
  },
);

const ESCAPES = [
  `${AUTH}${API}/oauth/authorize.evil.test/`,
  `${AUTH}.evil.test${API}/oauth/authorize?client_id=news`,
  `https://evil.test/${AUTH}${API}/oauth/authorize`,
  `${AUTH}@evil.test${API}/oauth/authorize`,
  `http://x@auth.test.localhost${API}/oauth/authorize`,
  `${AUTH}${API}/oauth/authorize/../../logout`,
  `${AUTH}${API}/logout`,
  `${AUTH}${API}/login?auth-provider=corp`,
  `http://auth.test.localhost:81${API}/oauth/authorize`,
];
for (const wanted of ESCAPES) {
  test.serial(`security 205: ${wanted} is not the authorize endpoint, however it begins`, async (t) => {
    t.is((await browser().navigate(loginUrl(AUTH, 'corp', wanted), { from: AUTH })).status, 400);
  });
}

test.serial('security 205: a provider that is none of the realm is refused', async (t) => {
  for (const provider of ['../x', 'google', 'CORP', 'corp/', 'constructor', '__proto__', 'a'.repeat(5000)]) {
    const answer = await browser().navigate(loginUrl(NEWS, provider), { from: NEWS });
    t.is(answer.status, 400, provider);
  }
  t.is((await browser().navigate(`${NEWS}${API}/login`)).status, 400);
  t.is((await browser().navigate(`${NEWS}${API}/login?auth-provider=corp&auth-provider=corp`)).status, 400);
});

test.serial('security 205: beginning changes nobody: no session ends, and none begins', async (t) => {
  idp.reset();
  const reader = browser();
  await reader.follow(loginUrl(NEWS, 'corp', `${NEWS}/a`), { from: NEWS });
  const before = await whoIs(reader, NEWS);
  t.truthy(before);
  await reader.navigate(loginUrl(NEWS, 'corp', `${NEWS}/b`), { from: 'https://evil.test/' });
  t.deepEqual(await whoIs(reader, NEWS), before);
  const prefetch = await reader.navigate(loginUrl(NEWS, 'corp'), { headers: { 'Sec-Purpose': 'prefetch' } });
  t.is(prefetch.status, 403);
  t.is(
    (
      await reader.navigate(loginUrl(NEWS, 'corp'), {
        headers: { 'Sec-Fetch-Dest': 'image', 'Sec-Fetch-Mode': 'no-cors' },
      })
    ).status,
    403,
  );
});

const authorize = (site: string, clientId: string, callback: string) =>
  `${AUTH}${API}/oauth/authorize?${new URLSearchParams({
    client_id: clientId,
    redirect_uri: `${site}${API}/oauth/token`,
    callback_uri: callback,
    response_type: 'code',
  })}`;

test.serial("on the auth domain: its own authorize, a page of it, and a site's page lead there", async (t) => {
  for (const [wanted, end] of [
    [authorize(NEWS, 'news', `${NEWS}/story`), `${NEWS}/story`],
    [`${SPORTS}/match?x=1`, `${SPORTS}/match?x=1`],
    [`${AUTH}/account/connections`, `${AUTH}/account/connections`],
  ] as const) {
    const person = idp.reset();
    const reader = browser();
    const walked = await reader.follow(loginUrl(AUTH, 'corp', wanted), { from: AUTH });
    t.is(walked.hops.at(-1), end);
    t.is((await whoIs(reader, new URL(end).origin))?.['email'], person.email);
  }
});

test.serial(
  'on the auth domain: an authorize address that was not encoded, as published clients send it, arrives too',
  async (t) => {
    const person = idp.reset();
    const reader = browser();
    const plain = `${AUTH}${API}/oauth/authorize?client_id=news&redirect_uri=${NEWS}${API}/oauth/token&callback_uri=${NEWS}/story&response_type=code`;
    const walked = await reader.follow(`${AUTH}${API}/login?auth-provider=corp&redirect-url=${plain}`, { from: AUTH });
    t.is(walked.hops.at(-1), `${NEWS}/story`);
    t.is((await whoIs(reader, NEWS))?.['email'], person.email);
  },
);

test.serial('a redirect-url that was left out means the front page', async (t) => {
  idp.reset();
  const walked = await browser().follow(loginUrl(NEWS, 'corp'), { from: NEWS });
  t.is(walked.hops.at(-1), `${NEWS}/`);
});

test.serial('security 208: an answer of the provider is no code of ours', async (t) => {
  for (const code of ['tfa-validation-is-required', 'tfa-setup-is-required', 'x'.repeat(43)]) {
    const reader = browser();
    const answer = await reader.navigate(`${NEWS}${API}/oauth/token?code=${code}`, { from: AUTH });
    t.is(answer.status, 400);
    t.is(await whoIs(reader, NEWS), null);
  }
});

test.serial('a realm with a failure page of its own sends readers there', async (t) => {
  await server.apply(
    realmYaml([entryOf(idp, 'corp')], `, login_failure_url: "${NEWS}/sign-in-failed?a=1"`),
    ENVIRONMENT,
  );
  idp.reset();
  idp.state.tampering.answer = (answer) => {
    answer.delete('code');
    answer.set('error', 'access_denied');
  };
  const walked = await browser().follow(loginUrl(NEWS, 'corp', `${NEWS}/story`), { from: NEWS });
  t.is(walked.hops.at(-1), `${NEWS}/sign-in-failed?a=1&error=access_denied&auth-provider=corp&reason=cancelled`);
});
