/**
 * The three demo sites: which site a name leads to, what a page shows to whom, and that they stop quickly.
 * demo/sites.ts, demo/site.ts, demo/reader.ts
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test from 'ava';
import { parse } from 'yaml';
import { news } from '../../demo/content/news.ts';
import { open, read, startFakeCauseway, startSites } from './fake_causeway.ts';

const article = '/articles/salt-meadow-plan';
const membersText = news.pieces.find(({ members }) => members)!.members!.paragraphs[0]!;

/** `users/me` as Causeway answers it: signed in with the cookie value "good". */
function usersMe(request: IncomingMessage, response: ServerResponse): void {
  const isSignedIn = request.headers.cookie?.includes('qt-auth=good') ?? false;
  response.writeHead(isSignedIn ? 200 : 401, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(isSignedIn ? { user: { name: '<b>Ann & Bo</b>' } } : { message: 'no' }));
}

const signedIn = { headers: { Cookie: 'other=1; qt-auth=good' } };

test('each name leads to its own site, and to no other', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  const titles = [];
  for (const origin of origins) titles.push((await read(`${origin}/`)).body.match(/<title>(.*?):/)?.[1]);
  t.deepEqual(titles, ['The Harbour Post', 'Touchline', 'Quay Market']);
});

test('an unknown name gets 404, also for the addresses of Causeway', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  for (const host of ['evil.test', 'localhost', 'auth.localhost:8080', 'news.localhost.evil.test', '127.0.0.1'])
    for (const path of ['/', '/api/auth/v1/users/me']) {
      const { answer } = await read(`${origins[0]}${path}`, { headers: { host } });
      t.is(answer.statusCode, 404, `${host}${path}`);
    }
  t.is(causeway.seen.length, 0);
});

test('every page, picture and file of every site is there, under the strict policy', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  for (const origin of origins) {
    const home = await read(`${origin}/`);
    const addresses = [...home.body.matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, path]) => path!);
    t.true(addresses.length > 8);
    for (const path of addresses.filter((path) => !path.startsWith('/api/'))) {
      const { answer, body } = await read(`${origin}${path}`);
      t.is(answer.statusCode, 200, path);
      t.notRegex(body, /<[^>]*\s(?:on\w+|style)=|<style|<script>|javascript:/, path);
      t.regex(
        String(answer.headers['content-security-policy']),
        /^default-src 'none'; script-src 'self'; style-src 'self';/,
      );
      t.regex(String(answer.headers['content-security-policy']), /form-action 'self' http:\/\/auth\.localhost:8080$/);
    }
  }
});

test('an anonymous reader sees a complete sign-in link back to this page, and no members-only text', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  const { answer, body } = await read(`${origins[0]}${article}?logged_in=false`);
  t.is(answer.headers['cache-control'], 'no-store');
  t.is(answer.headers.vary, 'Cookie');
  t.true(body.includes('data-account-state="anonymous"'));
  t.false(body.includes(membersText.slice(0, 40)));
  const link = body.match(/href="([^"]*)" data-sign-in>/)![1]!.replaceAll('&amp;', '&');
  const { pathname, searchParams } = new URL(link, origins[0]);
  t.is(pathname, '/api/auth/v1/oauth/authorize');
  t.deepEqual(Object.fromEntries(searchParams), {
    client_id: 'news',
    redirect_uri: `${origins[0]}/api/auth/v1/oauth/token`,
    callback_uri: `${origins[0]}${article}`,
    response_type: 'code',
  });
  t.true(link.includes(`callback_uri=${encodeURIComponent(`${origins[0]}${article}`)}`));
});

test('a signed-in reader is greeted by an escaped name and reads the members-only text, without any script', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  const { body } = await read(`${origins[0]}${article}`, signedIn);
  t.true(body.includes('data-account-state="signed-in"'));
  t.true(body.includes('&lt;b&gt;Ann &amp; Bo&lt;/b&gt;'));
  t.false(body.includes('<b>Ann'));
  t.true(body.includes(membersText.slice(0, 40)));
  t.true(
    body.includes(`/api/auth/v1/logout?redirect-url=${encodeURIComponent(`${origins[0]}${article}`)}" data-sign-out`),
  );
});

test('Causeway is asked for the reader with the host of the site and the cookies of the browser', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  await read(`${origins[1]}/`, signedIn);
  const [asked] = causeway.seen;
  t.is(asked!.url, '/api/auth/v1/users/me');
  t.is(`http://${asked!.headers.host}`, String(origins[1]));
  t.is(asked!.headers.cookie, signedIn.headers.Cookie);
  t.is(asked!.headers['x-forwarded-for'], '127.0.0.1');
});

test('the members-only text is given to script only for a signed-in reader', async (t) => {
  const causeway = await startFakeCauseway(t, usersMe);
  const { origins } = await startSites(t, causeway.origin);
  const address = `${origins[0]}/members/salt-meadow-plan`;
  t.is((await read(address)).answer.statusCode, 401);
  t.is((await read(address, { headers: { Cookie: 'qt-auth=bad' } })).answer.statusCode, 401);
  t.is(JSON.parse((await read(address, signedIn)).body).paragraphs[0], membersText);
});

test('pages are shown as to anybody when Causeway is away, mute, or answers something else', async (t) => {
  const mute = await startFakeCauseway(t, () => {});
  const odd = await startFakeCauseway(t, (_request, response) => response.end('<html>'));
  const away = await startFakeCauseway(t, () => {});
  away.close();
  for (const { origin } of [mute, odd, away]) {
    const { origins } = await startSites(t, origin);
    const { answer, body } = await read(`${origins[0]}/`, signedIn);
    t.is(answer.statusCode, 200);
    t.true(body.includes('data-account-state="anonymous"'));
  }
});

for (const [title, path, method, expected] of [
  ['an unknown page', '/articles/none', 'GET', 404],
  ['an article with more behind it', `${article}/more`, 'GET', 404],
  ['an article of another section', '/reports/last-ferry', 'GET', 404],
  ['an article without members-only text', '/members/last-ferry', 'GET', 404],
  ['a double slash', '//evil.test/', 'GET', 404],
  ['a file outside the assets', '/art/../../site.ts', 'GET', 404],
  ['a POST to a page', '/', 'POST', 405],
  ['a HEAD of a page', '/', 'HEAD', 200],
] as const) {
  test(`${title} is answered ${expected}`, async (t) => {
    const { origins } = await startSites(t, 'http://127.0.0.1:9');
    t.is((await read(`${origins[0]}${path}`, { method })).answer.statusCode, expected);
  });
}

test('a style sheet that the browser has already is answered 304', async (t) => {
  const { origins } = await startSites(t, 'http://127.0.0.1:9');
  const { answer } = await read(`${origins[0]}/site.css`);
  const again = await read(`${origins[0]}/site.css`, { headers: { 'If-None-Match': String(answer.headers.etag) } });
  t.is(again.answer.statusCode, 304);
  t.is(again.body, '');
});

test('close() ends open event streams and frees the port at once', async (t) => {
  const causeway = await startFakeCauseway(t, (_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders(),
  );
  const sites = await startSites(t, causeway.origin);
  const streams = await Promise.all(sites.origins.map((origin) => open(`${origin}/api/auth/v1/events`)));
  const broken = Promise.all(streams.map((stream) => t.throwsAsync(once(stream.resume(), 'end'))));
  const begun = performance.now();
  await sites.close();
  t.true(performance.now() - begun < 1_000);
  await broken;
  await t.throwsAsync(open(`${sites.origins[0]}/`), { code: 'ECONNREFUSED' });
});

test('the realm file names the clients and domains that the sites really have', async (t) => {
  const [realm] = parse(readFileSync(new URL('../../demo/realm.yaml', import.meta.url), 'utf8')).realms;
  const { origins } = await startSites(t, 'http://127.0.0.1:9');
  const hostnames = origins.map((origin) => new URL(origin).hostname);
  const clients: { id: string; domain: string }[] = realm.clients;
  t.deepEqual(
    clients.map(({ domain }) => domain),
    hostnames.map((name) => `${name}:8081`),
  );
  for (const [index, { id }] of clients.entries())
    t.true((await read(`${origins[index]}/`)).body.includes(`data-client-id="${id}"`));
});
