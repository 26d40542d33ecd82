import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { SECRET, setUp } from './setup.ts';

const EVERYTHING = `realms:
  - slug: daily
    auth_domain: auth.daily.example
    authentication_url: https://news.daily.example/sign-in?a=1
    settings: { session_idle: 7d, signup: closed, password_min_length: 12, sign_up_per_address: 5/1h, locale: en }
    brand: { name: "Daily: $\${x}", accent: "#0b5a73", accent_dark: "#99c1f1" }
    clients:
      - { id: news, kind: first-party, name: The News, domain: news.daily.example, proxy_secret: "\${SECRET}" }
      - { id: sports, kind: first-party, domain: "sports.daily.example:8443", disabled: true }
      - id: chat
        kind: third-party
        name: "yes"
        secret: "\${SECRET}"
        redirect_uris: [https://a.example/one, https://a.example/two]
        token_endpoint_auth_method: client_secret_post
        require_pkce: false
        scopes: [openid, email]
        access_token: { format: jwt, claims: [email, given_name] }
        userinfo_mapping: "{userName: user.username, fullName: user.name}"
  - { slug: weekly, auth_domain: auth.weekly.example }
`;

test('what is exported changes nothing where it came from, with and without prune', async (t) => {
  const { change, exported, close } = await setUp();
  await change(EVERYTHING, { environment: { SECRET } });
  const text = await exported();
  t.deepEqual(await change(text), []);
  t.deepEqual(await change(text, { isPrune: true }), []);
  t.is(await exported(), text);
  await close();
});

test('secrets are left out and a comment says so', async (t) => {
  const { change, exported, close } = await setUp();
  await change(EVERYTHING, { environment: { SECRET } });
  const text = await exported();
  t.notRegex(text, new RegExp(SECRET));
  t.notRegex(text, /^\s*(proxy_)?secret:/m);
  t.regex(text, /# secret: is stored as a hash and cannot be shown/);
  t.regex(text, /# proxy_secret: is stored as a hash and cannot be shown/);
  await close();
});

test('settings at their default are left out', async (t) => {
  const { change, exported, close } = await setUp();
  await change(EVERYTHING, { environment: { SECRET } });
  const [daily, weekly] = parse(await exported()).realms;
  t.deepEqual(daily.settings, {
    session_idle: '7d',
    signup: 'closed',
    password_min_length: 12,
    sign_up_per_address: '5/1h',
  });
  t.deepEqual(weekly, { slug: 'weekly', auth_domain: 'auth.weekly.example' });
  await close();
});

test('an export makes the same realms in an empty database', async (t) => {
  const [one, two] = [await setUp(), await setUp()];
  const text = EVERYTHING.replace(/ {8}secret: .*\n/, '')
    .replace('client_secret_post', 'none')
    .replace('require_pkce: false', 'require_pkce: true')
    .replace(/, proxy_secret: [^}]*}"/, '');
  await one.change(text);
  await two.change(await one.exported());
  t.is(await two.exported(), await one.exported());
  await one.close();
  await two.close();
});

test('the demo file, applied to an empty database, comes out with the same meaning', async (t) => {
  const { change, exported, close } = await setUp();
  const text = readFileSync(join(import.meta.dirname, '../../demo/realm.yaml'), 'utf8');
  await change(text, { allowLoopback: true, isTrial: true });
  const [written, wanted] = [parse(await exported()), parse(text)];
  const sorted = (clients: { id: string }[]) => [...clients].sort((a, b) => a.id.localeCompare(b.id));
  const { settings, ...realm } = wanted.realms[0];
  t.deepEqual(settings, { signup: 'open' }, 'the default, which an export leaves out');
  t.deepEqual(written, { realms: [{ ...realm, clients: sorted(realm.clients) }] });
  t.deepEqual(await change(text, { allowLoopback: true, isTrial: true, isPrune: true }), []);
  await close();
});
