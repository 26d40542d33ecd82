import test from 'ava';
import { type Answer, authorizeUrl } from '../support/browser.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';

const server = await startTestServer();
test.after.always(() => server.close());
const [NEWS, AUTH] = [originOf('news'), originOf('auth')];
const API = '/api/auth/v1';

/** Each kind of answer that the server gives. */
async function everyKind(): Promise<[title: string, answer: Answer][]> {
  const { browser, session } = await signedInBrowser(server);
  const anonymous = server.browser();
  const cookies = String(session.cookies['news']);
  const kinds: [string, Promise<Answer>][] = [
    ['home page', anonymous.navigate(`${AUTH}/`)],
    ['home page, signed in', browser.navigate(`${AUTH}/`)],
    ['sign-in page', anonymous.navigate(`${AUTH}/login`)],
    ['sign-up page', anonymous.navigate(`${AUTH}/signup`)],
    ['sign-out page', browser.navigate(`${AUTH}/logout`)],
    ['signed-out page', anonymous.navigate(`${AUTH}/signed-out`)],
    ['page that asks on a client domain', browser.navigate(`${NEWS}${API}/logout`, { cookies })],
    [
      'form problem',
      anonymous.navigate(`${AUTH}/login`, {
        method: 'POST',
        body: 'identifier=x',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      }),
    ],
    ['error page 400', anonymous.navigate(`${NEWS}${API}/oauth/authorize`)],
    ['error page 404', anonymous.navigate(`${AUTH}/nothing`)],
    ['error page 405', anonymous.navigate(`${AUTH}/login`, { method: 'PUT' })],
    ['error page 421', anonymous.navigate('http://evil.test/')],
    ['error page of the landing', anonymous.navigate(`${NEWS}${API}/oauth/token?code=x`)],
    ['redirect', anonymous.navigate(authorizeUrl(NEWS, 'news', `${NEWS}/`))],
    ['redirect of a page', anonymous.navigate(`${AUTH}/logout`)],
    ['JSON', browser.me(NEWS, { cookies })],
    ['JSON 401', anonymous.me(NEWS)],
    ['JSON 404', anonymous.fetch(`${NEWS}/nothing`)],
    ['JSON 405', anonymous.fetch(`${NEWS}${API}/users/me`, { method: 'PUT' })],
    ['JSON 415', anonymous.fetch(`${NEWS}${API}/login`, { method: 'POST', body: '{}' })],
    ['JSON 414', anonymous.fetch(`${NEWS}${API}/users/me?${'x'.repeat(9000)}`)],
    ['JSON 421', anonymous.fetch('http://evil.test/')],
    ['204', anonymous.fetch(`${NEWS}${API}/logout`)],
    ['HEAD', anonymous.navigate(`${AUTH}/login`, { method: 'HEAD' })],
    ['script', anonymous.fetch(`${NEWS}${API}/sdk.js`)],
  ];
  return Promise.all(kinds.map(async ([title, answer]) => [title, await answer]));
}

test('security 191: every kind of answer carries the standard headers and does not name its software', async (t) => {
  for (const [title, { headers }] of await everyKind()) {
    t.is(headers['strict-transport-security'], 'max-age=31536000', title);
    t.is(headers['x-content-type-options'], 'nosniff', title);
    t.is(headers['referrer-policy'], 'no-referrer', title);
    t.is(headers['cross-origin-opener-policy'], 'same-origin', title);
    t.is(headers['cross-origin-resource-policy'], 'same-origin', title);
    t.regex(String(headers['permissions-policy']), /camera=\(\)/, title);
    const policy = String(headers['content-security-policy']);
    for (const directive of ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"])
      t.true(policy.includes(directive), `${title}: ${policy}`);
    t.false(/unsafe-|\*|http:/.test(policy.replace(/form-action [^;]*/, '')), `${title}: ${policy}`);
    t.is(headers['x-powered-by'], undefined);
    t.is(headers['server'], undefined);
    t.regex(String(headers['x-request-id']), /^[\w-]{12}$/, title);
  }
});

test('security 64: every page and redirect refuses to be framed', async (t) => {
  const pages = (await everyKind()).filter(
    ([, { headers, status }]) => String(headers['content-type']).startsWith('text/html') || status === 303,
  );
  t.true(pages.length >= 14, String(pages.length));
  for (const [title, { headers }] of pages) {
    t.true(String(headers['content-security-policy']).includes("frame-ancestors 'none'"), title);
    t.is(headers['x-frame-options'], 'DENY', title);
  }
});

test('security 191: pages allow their scripts and styles by hash or nonce alone, and forms only what leads back', async (t) => {
  const page = await server.browser().navigate(`${AUTH}/login`);
  const policy = String(page.headers['content-security-policy']);
  for (const name of ['script-src', 'style-src']) {
    const sources = new RegExp(`${name} ([^;]*)`).exec(policy)?.[1]?.split(' ') ?? [];
    t.true(
      sources.every((source) => /^'(none|sha256-[^']+|nonce-[^']+|self)'$/.test(source)),
      `${name}: ${sources}`,
    );
  }
  t.regex(policy, /form-action 'self'(;|$)/);
  const through = await server.browser().follow(authorizeUrl(NEWS, 'news', `${NEWS}/`), { from: `${NEWS}/` });
  t.regex(
    String(through.headers['content-security-policy']),
    new RegExp(`form-action 'self' ${NEWS.replaceAll('.', '\\.')}(;|$)`),
  );
  t.false(/<script(?![^>]+nonce="[\w-]{22}")|src="(?!\/assets\/)|<link[^>]+href="http|url\(http/.test(page.text));
});
