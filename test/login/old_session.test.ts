// The session of a former system is adopted once, by the browser that holds it.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { SignJWT } from 'jose';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, startTestServer } from '../support/server.ts';

const SECRET = 'the secret of the former system';
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const behaviour = { isDown: false };
const asked: string[] = [];
/** The endpoint of the former system: knows sessions by their cookie. */
const former = createServer((request, response) => {
  const cookie = request.headers.cookie ?? '';
  asked.push(cookie);
  const name = /^old_sid=([a-z]+)-live/.exec(cookie)?.[1];
  if (behaviour.isDown) return void response.writeHead(500).end();
  if (!name) return void response.writeHead(401).end('{}');
  const user = { id: `old-${name}`, email: `${name}@old.example`, full_name: `Person ${name}` };
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ user }));
});
await new Promise<void>((done) => former.listen(0, '127.0.0.1', done));
const endpoint = `http://localhost:${(former.address() as AddressInfo).port}/me`;

const yaml = (slug: string, hosts: { auth: string; news: string }, setting: string) => `
realms:
  - slug: ${slug}
    auth_domain: ${hosts.auth}
    settings: { old_session: ${setting} }
    clients: [{ id: news, kind: first-party, domain: ${hosts.news} }]
`;
const byEndpoint = (until: string) =>
  `{ cookies: [old_sid], url: "${endpoint}", email_is_verified: true, until: "${until}" }`;
const server = await startTestServer({
  yaml: yaml('test', HOSTS, byEndpoint('2099-12-31')),
  env: { CAUSEWAY_OLD_SESSION_SECRET: SECRET },
});
const JWT = { auth: 'auth.jwt.localhost', news: 'news.jwt.localhost' };
await server.apply(
  yaml(
    'jwt',
    JWT,
    '{ cookies: [old_jwt], jwt: { algorithm: HS256, issuer: former, audience: readers }, until: "2099-12-31" }',
  ),
);
const OVER = { auth: 'auth.over.localhost', news: 'news.over.localhost' };
await server.apply(yaml('over', OVER, byEndpoint('2020-01-01')));
test.after.always(async () => {
  await server.close();
  former.closeAllConnections();
  former.close();
});

function holding(host: string, name: string, value: string) {
  const browser = server.browser();

  browser.jarOf(host).set(name, value);
  return browser;
}
const start = (site: string) => authorizeUrl(site, 'news', `${site}/article`);
const who = async (browser: ReturnType<typeof server.browser>, site: string) => {
  const answer = await browser.me(site);
  return answer.status === 200 ? answer.json().user.name : null;
};
const reasons = async () =>
  (await server.services.db.builder('audit_events').where({ type: 'old-session.refused' }).select('detail')).map(
    ({ detail }) => detail.reason,
  );

test('on the auth domain the reader goes on to the site, signed in, without having seen a page', async (t) => {
  const browser = holding(HOSTS.auth, 'old_sid', 'anna-live');
  const arrived = await browser.follow(start(NEWS), { from: `${NEWS}/` });
  t.is(arrived.hops.at(-1), `${NEWS}/article`);
  t.is(await who(browser, NEWS), 'Person anna');
  const account = await server.services.db.builder('accounts').where({ email_canonical: 'anna@old.example' }).first();
  t.like(account, { external_id: 'old-anna', verification_status: 'email', password_hash: null });
  const session = await server.services.db.builder('sessions').where({ account_id: account.id }).first();
  t.deepEqual(session.amr, ['fed']);
});

test('on a client domain the reader is back on the article, signed in there', async (t) => {
  const browser = holding(HOSTS.news, 'old_sid', 'bert-live');
  const arrived = await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is(arrived.location, `${NEWS}/article`);
  t.is(await who(browser, NEWS), 'Person bert');
});

test('an imported account is found by its id there, whatever its address is now', async (t) => {
  const account = await server.makeAccount({ name: 'Imported' });
  await server.services.db.builder('accounts').where({ id: account.id }).update({ external_id: 'old-carla' });
  const browser = holding(HOSTS.news, 'old_sid', 'carla-live');
  await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is(await who(browser, NEWS), 'Imported');
});

test('an account that never verified the address is not handed over, and a disabled one stays so', async (t) => {
  await server.makeAccount({ email: 'dora@old.example', name: 'Squatter' });
  const browser = holding(HOSTS.news, 'old_sid', 'dora-live');
  await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is(await who(browser, NEWS), null);
  const disabled = await server.makeAccount();
  await server.services.db
    .builder('accounts')
    .where({ id: disabled.id })
    .update({ external_id: 'old-emil', disabled_at: new Date() });
  const other = holding(HOSTS.news, 'old_sid', 'emil-live');
  await other.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is(await who(other, NEWS), null);
});

test('security 151: an account that the proven owner of its address took over is not reached by an old session', async (t) => {
  const account = await server.makeAccount({ email: 'nina@old.example', name: 'Nina' });
  const { db, ownership } = server.services;
  await db.builder('accounts').where({ id: account.id }).update({ external_id: 'old-olaf' });
  await db.transaction((q) => ownership.prove(q, account, { kind: 'email' }, { isMaker: false, address: null }));
  const browser = holding(HOSTS.news, 'old_sid', 'olaf-live');
  await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is(await who(browser, NEWS), 'Person olaf', 'he gets an account of his own');
});

test('one value is adopted once: of ten browsers at the same time one is signed in, and none after', async (t) => {
  const browsers = Array.from({ length: 10 }, () => holding(HOSTS.news, 'old_sid', 'frida-live'));
  await Promise.all(browsers.map((browser) => browser.navigate(start(NEWS), { from: `${NEWS}/` })));
  const signedIn = await Promise.all(browsers.map((browser) => who(browser, NEWS)));
  t.is(signedIn.filter((name) => name === 'Person frida').length, 1);
  for (const spelling of ['frida-live', '"frida-live"', 'frida%2Dlive']) {
    const thief = holding(HOSTS.news, 'old_sid', spelling);
    await thief.navigate(start(NEWS), { from: `${NEWS}/` });
    t.is(await who(thief, NEWS), null, spelling);
  }
  t.true((await reasons()).includes('it was adopted before'));
});

test('who signs out is not signed in again by another old cookie of that browser', async (t) => {
  const browser = holding(HOSTS.news, 'old_sid', 'gerd-live');
  await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/logout`)).status, 204);
  browser.jarOf(HOSTS.news).set('old_sid', 'gerd-live-again');
  const answer = await browser.navigate(start(NEWS), { from: `${NEWS}/` });
  t.true(String(answer.location).startsWith(AUTH));
  t.is(await who(browser, NEWS), null);
});

test('a dead cookie, two of one name and an old session after its time leave the reader anonymous, on the usual way', async (t) => {
  for (const [host, value] of [
    [HOSTS.news, 'nobody'],
    [HOSTS.news, 'x'.repeat(9000)],
    [OVER.news, 'hans-live'],
  ] as const) {
    const browser = holding(host, 'old_sid', value);
    const site = `http://${host}`;
    const answer = await browser.navigate(start(site), { from: `${site}/` });
    t.is(answer.status, 303);
    t.true(String(answer.location).startsWith('http://auth.'), String(answer.location));
    t.is(await who(browser, site), null);
  }
  t.false(
    asked.some((cookie) => cookie.includes('hans')),
    'after its time nobody is asked',
  );
  const tossed = await server
    .browser()
    .navigate(start(NEWS), { headers: { Cookie: 'old_sid=ulla-live; old_sid=jens-live' } });
  t.true(String(tossed.location).startsWith(AUTH));
  t.false(asked.some((cookie) => /ulla|jens/.test(cookie)));
});

test.serial(
  'an endpoint that is down signs nobody in, uses nothing up, and is not asked by that browser again at once',
  async (t) => {
    behaviour.isDown = true;
    const browser = holding(HOSTS.news, 'old_sid', 'kai-live');
    for (let visit = 0; visit < 3; visit++) {
      const answer = await browser.navigate(start(NEWS), { from: `${NEWS}/` });
      t.true(String(answer.location).startsWith(AUTH));
    }
    t.is(asked.filter((cookie) => cookie.includes('kai')).length, 1);
    behaviour.isDown = false;
    browser.jarOf(HOSTS.news).delete('__Host-qt-old');
    await browser.navigate(start(NEWS), { from: `${NEWS}/` });
    t.is(await who(browser, NEWS), 'Person kai');
  },
);

const CLAIMS = { email_verified: true, name: 'Lars' };
function sign(more: Record<string, unknown> = {}, key = SECRET, expires: string | null = '1h', audience = 'readers') {
  const jwt = new SignJWT({ ...CLAIMS, ...more })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('former')
    .setAudience(audience);
  if (expires) jwt.setExpirationTime(expires);
  return jwt.sign(new TextEncoder().encode(key));
}
const news = `http://${JWT.news}`;
async function tryJwt(token: string) {
  const browser = holding(JWT.news, 'old_jwt', token);
  await browser.navigate(start(news), { from: `${news}/` });
  return who(browser, news);
}

test('a signed JWT signs in once, whatever the spelling of its signature', async (t) => {
  const token = await sign({ sub: 'lars', email: 'lars@jwt.example' });
  t.is(await tryJwt(token), 'Lars');
  t.is(await tryJwt(token), null);
  // The last character of 32 bytes in base64url carries two bits that nobody reads.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.slice(-1));
  t.is(await tryJwt(`${token.slice(0, -1)}${alphabet.charAt(last ^ 1)}`), null);
});

test('forged, expired, endless, foreign and unsigned JWTs sign nobody in', async (t) => {
  const person = { sub: 'mads', email: 'mads@jwt.example' };
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ ...person, iss: 'former', aud: 'readers', exp: 4e9 })).toString('base64url')}.`;
  const good = await sign(person);
  const [head, , signature] = good.split('.');
  const forgedBody = Buffer.from(
    JSON.stringify({ ...person, sub: 'admin', iss: 'former', aud: 'readers', exp: 4e9 }),
  ).toString('base64url');
  for (const [what, token] of [
    ['another key', await sign(person, 'another secret of that length!')],
    ['expired', await sign(person, SECRET, '-1h')],
    ['without an end', await sign(person, SECRET, null)],
    ['for somebody else', await sign(person, SECRET, '1h', 'shop')],
    ['unsigned', none],
    ['another body', `${head}.${forgedBody}.${signature}`],
    ['no subject', await sign({ email: 'mads@jwt.example' })],
    ['no JWT', 'x.y.z'],
  ] as const)
    t.is(await tryJwt(token), null, what);
  t.is(await tryJwt(good), 'Lars', 'the good one still counts');
});
