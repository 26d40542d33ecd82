// What an authorization request must be before it leads anywhere: client, redirect URI, one value of each parameter.

import test from 'ava';
import { authorizeUrl, send } from '../support/browser.ts';
import { HOSTS, landingOf, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { AUTH, AUTHORIZE, AUTO_SSO, isReader, isRefused, NEWS, onAuth, SPORTS } from './flow.ts';

const DISABLED = '      - { id: closed, kind: first-party, domain: closed.test.localhost, disabled: true }\n';
const CHAT =
  '      - { id: chat, kind: third-party, secret: a-secret-of-more-than-32-characters-long, redirect_uris: ["https://chat.test/cb"] }\n';
const server = await startTestServer({ yaml: `${REALM_YAML.trimEnd()}\n${DISABLED}${CHAT}` });
test.after.always(() => server.close());
const LANDING = landingOf('news');
const codesOf = (sessionId: string) => countRows(server, 'authorization_codes', { session_id: sessionId });

const NOT_REGISTERED = [
  `${LANDING}/`,
  `${LANDING}?x=1`,
  `${LANDING}?`,
  `${LANDING}#f`,
  `${LANDING}#`,
  `${NEWS}/api/auth/v1/oauth/../oauth/token`,
  `${NEWS}/x/../api/auth/v1/oauth/token`,
  LANDING.replace('token', '%74oken'),
  LANDING.replace('/api', '//api'),
  LANDING.replace('news.', 'NEWS.'),
  LANDING.replace('http:', 'HTTP:'),
  LANDING.replace('http:', 'https:'),
  LANDING.replace(HOSTS.news, `${HOSTS.news}:80`),
  LANDING.replace(HOSTS.news, `${HOSTS.news}:8081`),
  LANDING.replace(HOSTS.news, `${HOSTS.news}.`),
  LANDING.replace(HOSTS.news, `user@${HOSTS.news}`),
  LANDING.replace(HOSTS.news, `x.${HOSTS.news}`),
  LANDING.replace(HOSTS.news, '127.0.0.1'),
  `${LANDING}/more`,
  ` ${LANDING}`,
  `${LANDING} `,
  LANDING.slice(0, -1),
  landingOf('sports'),
  `${NEWS}/`,
  'https://evil.test/',
  'javascript:alert(1)',
  '/api/auth/v1/oauth/token',
  `${LANDING},${LANDING}`,
  '*',
];

test('security 22, 24, 25: a redirect URI that is not byte for byte the registered one is told here, on either host, silent or by script', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  for (const redirect_uri of NOT_REGISTERED) {
    const more = { redirect_uri };
    isRefused(t, await browser.navigate(onAuth('news', more)), 400, redirect_uri);
    isRefused(t, await browser.navigate(onAuth('news', more, AUTO_SSO)), 400, redirect_uri);
    isRefused(t, await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`, more)), 400, redirect_uri);
    isRefused(t, await browser.fetch(onAuth('news', { ...more, allow_ajax: 'true' })), 400, redirect_uri);
  }
  for (const site of [NEWS, AUTH]) {
    isRefused(t, await browser.navigate(`${site}${AUTHORIZE}?client_id=news&response_type=code`));
    isRefused(t, await browser.navigate(`${site}${AUTHORIZE}?client_id=news&response_type=code&redirect_uri=`));
  }
  t.is(await codesOf(session.id), 0);
});

test('security 25: an unknown, disabled, foreign or absent client is told here, whatever the redirect URI', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  for (const client_id of [
    'nobody',
    'closed',
    'chat',
    'NEWS',
    'news ',
    ' news',
    'news\u200b',
    "news'--",
    'news%',
    'x'.repeat(300),
    'sports',
    '__proto__',
  ]) {
    for (const redirect_uri of [LANDING, 'https://evil.test/']) {
      for (const path of [AUTHORIZE, AUTO_SSO]) {
        isRefused(t, await browser.navigate(onAuth('news', { client_id, redirect_uri }, path)), 400, client_id);
        isRefused(
          t,
          await browser.navigate(authorizeUrl(NEWS, client_id, `${NEWS}/`, { redirect_uri }, path)),
          400,
          client_id,
        );
      }
    }
  }
  for (const site of [NEWS, AUTH]) {
    isRefused(
      t,
      await browser.navigate(`${site}${AUTHORIZE}?redirect_uri=${encodeURIComponent(LANDING)}&response_type=code`),
    );
  }
  t.is(await codesOf(session.id), 0);
});

test('security 25: of two faults the one about the client is told, then the redirect URI, then the rest', async (t) => {
  const ask = (more: Record<string, string>) => server.browser().fetch(onAuth('news', { allow_ajax: 'true', ...more }));
  const say = async (more: Record<string, string>) => String((await ask(more)).json().message);
  const wrong = { redirect_uri: 'https://evil.test/', response_type: 'token', callback_uri: 'https://evil.test/' };
  t.regex(await say({ client_id: 'nobody', ...wrong }), /client_id/);
  t.regex(await say(wrong), /redirect_uri/);
  t.regex(await say({ ...wrong, redirect_uri: LANDING }), /response_type/);
  t.regex(await say({ callback_uri: 'https://evil.test/' }), /callback_uri/);
});

test('security 15: a session on one domain never obtains codes for another, by page or by script', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  for (const more of [{}, { allow_ajax: 'true' }]) {
    for (const path of [AUTHORIZE, AUTO_SSO]) {
      const query = new URLSearchParams({
        client_id: 'sports',
        redirect_uri: landingOf('sports'),
        callback_uri: `${SPORTS}/`,
        response_type: 'code',
        ...more,
      });
      for (const ask of [browser.navigate, browser.fetch]) {
        const answer = await ask(`${NEWS}${path}?${query}`);
        t.true([400, 403].includes(answer.status));
        t.is(answer.location, null);
        t.notRegex(answer.text, /code=/);
      }
    }
  }
  t.is(await codesOf(session.id), 0);
});

test('security 15: a client domain answers with the next hop only, never with a code, for its own client too', async (t) => {
  const { browser, session } = await signedInBrowser(server, ['auth', 'news']);
  const page = await browser.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`));
  const script = await browser.fetch(authorizeUrl(NEWS, 'news', `${NEWS}/`, { allow_ajax: 'true' }));
  for (const target of [String(page.location), String(script.json().redirect_uri)]) {
    t.is(new URL(target).origin, AUTH);
    t.false(new URL(target).searchParams.has('code'));
  }
  t.is(await codesOf(session.id), 0);
});

const DEFINED = [
  'client_id',
  'redirect_uri',
  'callback_uri',
  'response_type',
  'state',
  'allow_ajax',
  'flow',
  'restart',
  'request_handle',
];

test('security 29: a defined parameter that stands twice, in whatever spelling, is refused', async (t) => {
  for (const name of DEFINED) {
    const value = new URL(onAuth()).searchParams.get(name) ?? 'x';
    const base = `${onAuth()}${new URL(onAuth()).searchParams.has(name) ? '' : `&${name}=${value}`}`;
    const again = encodeURIComponent(value);
    const encoded = `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
    for (const extra of [
      `${name}=${again}`,
      `${name}=`,
      `${name}`,
      `${name}[]=${again}`,
      `${name}[0]=${again}`,
      `${name}%5B%5D=${again}`,
      `${name}[x]=y`,
      `${encoded}=${again}`,
    ]) {
      for (const url of [`${base}&${extra}`, base.replace('?', `?${extra}&`)]) {
        isRefused(t, await send(server.port, url), 400, url);
        isRefused(t, await send(server.port, url.replace(AUTHORIZE, AUTO_SSO)), 400, url);
        isRefused(t, await send(server.port, url.replace(AUTH, NEWS)), 400, url);
      }
    }
  }
});

test('security 29: the landing page takes code and callback_uri once each', async (t) => {
  const code = 'A'.repeat(43);
  for (const query of [
    `code=${code}&code=${code}`,
    `code[]=${code}`,
    `code[0]=${code}`,
    `code%5B%5D=${code}`,
    `code=${code}&callback_uri=a&callback_uri=b`,
    `code=${code}&callback_uri[]=a`,
  ]) {
    isRefused(t, await send(server.port, `${LANDING}?${query}`), 400, query);
  }
});

test('security 29: an unencoded callback that carries parameters of its own is no way to replace ours', async (t) => {
  const url = `${AUTH}${AUTHORIZE}?client_id=news&redirect_uri=${LANDING}&callback_uri=${NEWS}/x?p=1&redirect_uri=https://evil.test&response_type=code`;
  isRefused(t, await send(server.port, url));
});

test('security 29: parameters that nobody defines are ignored, however odd', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const odd = 'x=1&x=2&x[]=3&%ff=1&constructor=1&__proto__[y]=1&scope=openid&nonce=n&=&&utm_source=%E4';
  const arrived = await browser.follow(`${authorizeUrl(NEWS, 'news', `${NEWS}/page`)}&${odd}`);
  t.is(arrived.hops.at(-1), `${NEWS}/page`);
  await isReader(t, browser, NEWS, account);
});

test('security 207: published clients put both URIs unencoded, and a fragment that cuts off response_type does no harm', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const url = `${NEWS}${AUTHORIZE}?client_id=news&redirect_uri=${LANDING}&callback_uri=${NEWS}/search?q=a+b%20c#part&response_type=code`;
  const arrived = await browser.follow(url, { from: `${NEWS}/` });
  t.is(arrived.hops.at(-1), `${NEWS}/search?q=a%20b%20c`);
  await isReader(t, browser, NEWS, account);
});

test('security 207: a response_type other than code is refused on both hosts', async (t) => {
  for (const response_type of ['token', 'id_token', 'code token', 'CODE', 'none']) {
    isRefused(t, await send(server.port, onAuth('news', { response_type })));
    isRefused(t, await send(server.port, authorizeUrl(NEWS, 'news', `${NEWS}/`, { response_type })));
  }
});
