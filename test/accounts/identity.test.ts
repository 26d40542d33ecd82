import { randomBytes } from 'node:crypto';
import test from 'ava';
import { parseUsername } from '../../server/accounts/username.ts';
import { parseEmail } from '../../server/lib/email.ts';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const login = (body: unknown) => postJson(server.port, `${API}/login`, body);
const signup = (body: object) => postJson(server.port, `${API}/signup`, { password: PASSWORD, ...body });
const fresh = () => randomBytes(6).toString('hex');
const count = async (where: object) =>
  Number((await server.services.db.builder('accounts').where(where).count())[0]?.['count']);

test('security 145: an address has one canonical form for look-up and uniqueness; what only looks alike is refused or distinct', (t) => {
  const canonical = (text: string): string | null => parseEmail(text)?.canonical ?? null;
  const table: [string, string | null][] = [
    ['I@x.com', 'i@x.com'],
    ['İ@x.com', null],
    ['ı@x.com', null],
    ['K@x.com', 'k@x.com'],
    ['\u212a@x.com', null],
    ['ﬁ@x.com', null],
    ['ſ@x.com', null],
    ['a＠b.com', null],
    ['аdmin@x.com', null],
    ['a@b。com', null],
    ['a@B.COM', 'a@b.com'],
    ['a@bücher.example', 'a@xn--bcher-kva.example'],
    ['a@BÜCHER.example', 'a@xn--bcher-kva.example'],
    ['a@bu\u0308cher.example', 'a@xn--bcher-kva.example'],
    ['a@xn--bcher-kva.example', 'a@xn--bcher-kva.example'],
    ['a@faß.de', 'a@xn--fa-hia.de'],
    ['  a@b.com ', 'a@b.com'],
    ['a.b@b.com', 'a.b@b.com'],
    ['ab+tag@b.com', 'ab+tag@b.com'],
    ['a@b\u00ad.com', null],
    ['a@b\u200d.com', null],
  ];
  for (const [typed, wanted] of table) t.is(canonical(typed), wanted, typed);
  t.not(canonical('a@ехample.com'), 'a@example.com', 'a domain with Cyrillic letters is another domain');
});

test('security 145: nobody signs in to or signs up over an account with an address that a database would fold into it', async (t) => {
  const local = `ki${fresh()}`;
  const email = `${local}@fi.example`;
  t.is((await signup({ email })).status, 200);
  for (const twin of [`K${local.slice(1)}@fi.example`, `${local.toUpperCase()}@FI.example`]) {
    t.is((await login({ email: twin, password: PASSWORD })).status, 200, twin);
    t.is((await signup({ email: twin })).status, 409, twin);
  }
  for (const twin of [
    `\u212a${local.slice(1)}@fi.example`,
    `k\u0130${local.slice(2)}@fi.example`,
    `k\u0131${local.slice(2)}@fi.example`,
    `${local}＠fi.example`,
  ]) {
    t.is((await login({ email: twin, password: PASSWORD })).status, 401, twin);
    t.is((await signup({ email: twin })).status, 400, twin);
  }
  t.is(await count({ email_canonical: email }), 1);
});

test('security 146: an address that smuggles a second recipient, a header, a comment or a route is refused', async (t) => {
  const injections = [
    '"x@evil.test x"@a.test',
    'a@a.test,b@evil.test',
    'a@a.test;b@evil.test',
    'a@a.test\r\nBcc: b@evil.test',
    'a@a.test%0aBcc:b@evil.test',
    'a@a.test\nb',
    '<a@a.test>',
    'A <a@a.test>',
    'a(comment)@a.test',
    'a@(comment)a.test',
    '@route.test:a@a.test',
    'a@b@a.test',
    'a@@a.test',
    '@a.test',
    'a@',
    'a',
    'a b@a.test',
    'a@a test',
    'a@localhost',
    'a@[127.0.0.1]',
    'a@127.0.0.1.',
    'a..b@a.test',
    '.a@a.test',
    'a.@a.test',
    'a@-a.test',
    'a@a-.test',
    'a@a..test',
    `${'l'.repeat(65)}@a.test`,
    `a@${'d'.repeat(64)}.test`,
    `a@${'d.'.repeat(125)}test`,
    'a\u0000@a.test',
    'a@a.test\u202e',
    'a@a.test?x',
    'a@a.test/x',
    'a@a.test#x',
    'a@a.test:25',
    'a@a\\.test',
    `${'('.repeat(5000)}a@a.test`,
  ];
  for (const email of injections) {
    t.is(parseEmail(email), null, email.slice(0, 60));
    t.is((await signup({ email })).status, 400, email.slice(0, 60));
  }
  t.is(
    Number((await server.services.db.builder('accounts').where('email', 'like', '%evil%').count())[0]?.['count']),
    0,
  );
});

test('security 147: an account keeps the address as it was stored, whatever spelling finds it', async (t) => {
  const local = `Bob.${fresh()}`;
  t.is((await signup({ email: `${local}@A.Example` })).status, 200);
  const found = await login({ email: `${local.toLowerCase()}@a.example`, password: PASSWORD });
  t.is(found.status, 200);
  t.is(found.json().user.email, `${local}@a.example`);
  const byOperator = await server.services.accounts.findByEmail(
    server.services.db,
    (await server.realm()).id,
    `${local.toUpperCase()}@a.EXAMPLE`,
  );
  t.is(byOperator?.email, `${local}@a.example`);
});

test('security 156: a user name with bidi, control, invisible or markup characters is refused', async (t) => {
  const refused = [
    'bob\u202egnp',
    '\u2066bob',
    'bob\u200f',
    'bob\u200b',
    'bo\u200dob',
    'bo\ufeffob',
    'bob\u0007',
    'b\nob',
    'bob\u00ad',
    'bob\ufe0f',
    'bo\u034fb',
    'bob\u115f',
    '\u3164',
    'bob\uffa0',
    '\u2800',
    '<svg onload=alert(1)>',
    'a b',
    'a/b',
    'a:b',
    '-bob',
    'bob.',
    '',
    'x'.repeat(65),
    'bob\u{e0041}',
    '😀',
  ];
  for (const username of refused) t.is(parseUsername(username), null, JSON.stringify(username));
  for (const username of ['bob\u202egnp', 'bob\ufe0f', '<svg onload=alert(1)>', '\u3164']) {
    t.is((await signup({ email: `u${fresh()}@example.com`, username })).status, 400, JSON.stringify(username));
  }
});

test('security 156: spellings of one user name are one, and a look-alike of another script never finds its account', async (t) => {
  const name = `paypal${fresh()}`;
  t.is((await signup({ email: `u${fresh()}@example.com`, username: name })).status, 200);
  t.is((await login({ username: name.toUpperCase(), password: PASSWORD })).status, 200);
  t.is(
    (await login({ username: `ｐ${name.slice(1)}`, password: PASSWORD })).status,
    200,
    'full width is the same letter',
  );
  const cyrillic = `р${name.slice(1)}`;
  t.is((await login({ username: cyrillic, password: PASSWORD })).status, 401);
  t.is((await signup({ email: `u${fresh()}@example.com`, username: `ｐ${name.slice(1)}` })).status, 409);
});

test('security 156: an e-mail address is a user name only for the account that has the address', async (t) => {
  const victim = `victim-${fresh()}@example.com`;
  const own = `own-${fresh()}@example.com`;
  t.is((await signup({ email: `u${fresh()}@example.com`, username: victim })).status, 400);
  t.is((await signup({ email: own, username: own.toUpperCase() })).status, 200);
  t.is((await login({ username: own, password: PASSWORD })).status, 200);
});

test('security 156: a display name is stored as typed and shown escaped', async (t) => {
  const name = '<svg onload=alert(1)> & "friends"';
  const account = await server.makeAccount({ name });
  const browser = server.browser();
  await browser.post('http://auth.test.localhost/api/auth/v1/login', { email: account.email, password: PASSWORD });
  t.is((await browser.me('http://auth.test.localhost')).json().user.name, name);
  const page = await browser.navigate('http://auth.test.localhost/');
  t.false(page.text.includes('<svg onload'));
  t.true(page.text.includes('&lt;svg onload=alert(1)&gt; &amp; &quot;friends&quot;'));
});
