// Which language a page has: what a site asks for, what the reader chose in this browser, what the browser asks for, and what
// the realm offers.

import test from 'ava';
import type { Context } from '../../server/http/route.ts';
import { languageOf as languageOfRequest } from '../../server/realms/middleware.ts';
import { authorizeUrl } from '../support/browser.ts';
import { originOf, REALM_YAML, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: REALM_YAML.replace('signup: open', 'signup: open, locales: [de, en]') });
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const ENGLISH = { 'Accept-Language': 'en' };

const languageOf = (page: { text: string }) => /<html lang="([^"]+)"/.exec(page.text)?.[1];
const linksOf = (page: { text: string }) =>
  [...page.text.matchAll(/<a href="([^"]+)" lang="([^"]+)"/g)].map(([, href = '', locale = '']) => ({
    href: href.replaceAll('&amp;', '&'),
    locale,
  }));

test('OIDC Core §3.1.2.1: ui_locales chooses the language before the browser does, and its first known tag counts', async (t) => {
  const browser = server.browser();
  const asked: [uiLocales: string, language: string][] = [
    ['de', 'de'],
    ['xx de-AT en', 'de'],
    ['en-GB de', 'en'],
  ];
  for (const [uiLocales, language] of asked) {
    const page = await browser.navigate(`${AUTH}/login?ui_locales=${encodeURIComponent(uiLocales)}`, {
      headers: ENGLISH,
    });
    t.is(languageOf(page), language);
    t.is(page.headers['content-language'], language);
  }
});

test('OIDC Core §3.1.2.1: tags that nobody knows are no error, and the browser decides', async (t) => {
  const page = await server.browser().navigate(`${AUTH}/login?ui_locales=xx+tlh`, { headers: ENGLISH });
  t.is(page.status, 200);
  t.is(languageOf(page), 'en');
});

test('what was asked for stays for the pages that follow in this browser, also for those that answer a form', async (t) => {
  const browser = server.browser();
  await browser.navigate(`${AUTH}/login?ui_locales=de`, { headers: ENGLISH });
  t.is(languageOf(await browser.navigate(`${AUTH}/signup`, { headers: ENGLISH })), 'de');
  t.is(languageOf(await server.browser().navigate(`${AUTH}/signup`, { headers: ENGLISH })), 'en');
});

test('an error page is in the language that the address asks for', async (t) => {
  const page = await server.browser().navigate(`${AUTH}/nowhere?ui_locales=de`, { headers: ENGLISH });
  t.is(page.status, 404);
  t.is(languageOf(page), 'de');
});

test('the languages below a page are those of the realm, under their own names, and each link keeps the way back', async (t) => {
  const browser = server.browser();
  const page = await browser.follow(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  t.deepEqual(
    linksOf(page).map(({ locale }) => locale),
    ['de', 'en'],
  );
  t.true(page.text.includes('<bdi>Deutsch</bdi>') && page.text.includes('<bdi>English</bdi>'));
  const german = await browser.navigate(new URL(linksOf(page)[0]?.href ?? '', AUTH).href);
  t.is(languageOf(german), 'de');
  t.true(german.text.includes('The News'));
  t.regex(german.text, /name="handle" value="[^"]{50,}"/);
  t.regex(german.text, /lang="de" hreflang="de" rel="nofollow" aria-current="true"/);
});

test('a page that was asked for in no particular way is offered in the other languages too, an error page is not', async (t) => {
  t.is(linksOf(await server.browser().navigate(`${AUTH}/`)).length, 2);
  t.is(linksOf(await server.browser().navigate(`${AUTH}/nowhere`)).length, 0);
});

test('an Accept-Language that is no language is no error, and letters then have the language of the realm', async (t) => {
  const page = await server.browser().navigate(`${AUTH}/login`, { headers: { 'Accept-Language': '1, x-, en--' } });
  t.is(page.status, 200);
  const ctx = (header: string) =>
    ({ get: () => header, acceptsLanguages: () => header.split(','), state: {}, session: {} }) as unknown as Context;
  t.is(languageOfRequest(ctx('1,x-,en--')), 'en');
  t.is(languageOfRequest(ctx('x-,pt-BR')), 'pt-BR');
});

test('OIDC Discovery §3: ui_locales_supported names what the realm offers', async (t) => {
  const answer = await server.browser().navigate(`${AUTH}/.well-known/openid-configuration`);
  t.deepEqual(JSON.parse(answer.text).ui_locales_supported, ['de', 'en']);
});
