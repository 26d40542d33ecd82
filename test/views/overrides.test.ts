// Views of an operator, laid over ours: what they change, and each way in which they can be wrong, told before anything runs.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createPages } from '../../server/http/page.ts';
import { startTestServer } from '../support/server.ts';

const VIEWS = join(import.meta.dirname, '../../views');
const brand = { name: 'Meridian Press', logo: null, accent: '#0b5d4b', accentDark: null };
const ours = (file: string) => readFileSync(join(VIEWS, file), 'utf8');

/** A folder with these files, gone after the test. */
function folderWith(t: ExecutionContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'overrides-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

const pagesWith = (t: ExecutionContext, files: Record<string, string>) =>
  createPages({ viewsFolder: VIEWS, overridesFolder: folderWith(t, files) });
const signedOut = (pages: ReturnType<typeof createPages>, realm?: string, locale = 'en') =>
  pages.render({
    view: 'login/signed_out',
    locale,
    brand,
    data: { continueUrl: null, signInUrl: '/login', sites: [] },
    ...(realm ? { realm } : {}),
  }).html;

test('a word, a template and a rule of the sheet are laid over ours, and the rest stays', (t) => {
  const pages = pagesWith(t, {
    'locales/en.json': JSON.stringify({ signed_out: { title: 'See you soon' } }),
    'login/signed_out.eta': ours('login/signed_out.eta').replace('<div class="card">', '<div class="card farewell">'),
    'causeway.css': '.farewell { outline: 1px solid; }',
  });
  const html = signedOut(pages);
  t.true(html.includes('<h1>See you soon</h1>'));
  t.true(html.includes('<div class="card farewell">'));
  t.true(html.includes('.farewell{outline: 1px solid}'));
  t.true(html.includes('Sign in again'));
});

test('a realm has views of its own, over those of the deployment, and no other realm sees them', (t) => {
  const pages = pagesWith(t, {
    'locales/en.json': JSON.stringify({ signed_out: { title: 'See you soon' } }),
    'realms/daily/locales/en.json': JSON.stringify({ signed_out: { title: 'The Daily says goodbye' } }),
  });
  t.true(signedOut(pages, 'daily').includes('The Daily says goodbye'));
  t.true(signedOut(pages, 'weekly').includes('See you soon'));
  t.true(signedOut(pages).includes('See you soon'));
});

test('a whole new language counts as one of ours', (t) => {
  const pages = pagesWith(t, { 'locales/en-AU.json': ours('locales/en.json') });
  t.true(pages.locales.includes('en-AU'));
  t.true(signedOut(pages, undefined, 'en-AU').includes('<html lang="en-AU"'));
});

const signIn = ours('login/sign_in.eta');
const faults: [what: string, file: string, text: string, message: RegExp][] = [
  [
    'a form without its csrf_token',
    'login/sign_in.eta',
    signIn.replace('name="csrf_token"', 'name="token"'),
    /login\/sign_in\.eta:\d+: the field "csrf_token" is gone\. Copy it from our login\/sign_in\.eta/,
  ],
  [
    'a form without the way back',
    'login/sign_in.eta',
    signIn.replace('name="handle"', 'name="back"'),
    /the field "handle" is gone/,
  ],
  [
    'a form without a field',
    'login/sign_in.eta',
    signIn.replace("id: 'password'", "id: 'secret'"),
    /"password" is gone/,
  ],
  [
    'a form that leads elsewhere',
    'login/sign_in.eta',
    signIn.replace('action="/login"', 'action="/sign-in"'),
    /no form has action="\/login" any more/,
  ],
  [
    'a value that there is not',
    'login/sign_in.eta',
    `${signIn}\n<%= it.clientNmae %>`,
    /sign_in\.eta:\d+: there is no it\.clientNmae here\. There is: .*clientName/,
  ],
  ['a key that there is not', 'login/sign_in.eta', `${signIn}<%= it.t('sign_in.titel') %>`, /no locale has the key/],
  ['a partial that there is not', 'login/sign_in.eta', `${signIn}<%~ include('@footer') %>`, /no template "@footer"/],
  ['what does not compile', 'login/sign_in.eta', `${signIn}<% if ( %>`, /sign_in\.eta: does not compile/],
  ['raw output', 'login/sign_in.eta', `${signIn}<%~ it.identifier %>`, /prints without escaping. Write <%= instead/],
  ['an inline style', 'login/home.eta', `${ours('login/home.eta')}<p style="color:red">`, /home\.eta:\d+: style=/],
  ['a script', 'login/home.eta', `${ours('login/home.eta')}<script>1</script>`, /Scripts are refused/],
  [
    'an address to load from',
    'login/home.eta',
    `${ours('login/home.eta')}<img src="https://x.example/a.png">`,
    /data: URI/,
  ],
  [
    'a frame without its sheet',
    'layout.eta',
    ours('layout.eta').replace('it.brandCss', "''"),
    /it\.brandCss is not printed/,
  ],
  ['a template of an unknown name', 'login/singin.eta', '<p>', /singin\.eta: we have no template of this name/],
  ['a file that is not read', 'login/sign_in.html', '<p>', /sign_in\.html: is not read\. Remove it/],
  [
    'a word that takes other values',
    'locales/en.json',
    '{"home":{"introduction":"All of {brnad}"}}',
    /home\.introduction/,
  ],
  [
    'a new word that other languages lack',
    'locales/en.json',
    '{"home":{"motto":"Sail on"}}',
    /de\.json: the key "home\.motto" is missing/,
  ],
  ['a catalogue that is no JSON', 'locales/en.json', '{', /locales\/en\.json: /],
  ['a sheet that could end its element', 'causeway.css', '</style>', /causeway\.css: empty, or contains/],
];
for (const [what, file, text, message] of faults)
  test(`refused at start: ${what}`, (t) => {
    t.throws(() => pagesWith(t, { [file]: text }), { message });
  });

test('all faults are told at once, each with the file in which it is', (t) => {
  const files = { 'login/singin.eta': '<p>', 'causeway.css': '</style>' };
  const thrown = t.throws(() => pagesWith(t, files));
  t.regex(String(thrown?.message), /2 faults:\n- .*overrides-[^/]+\/causeway\.css.*\n- .*login\/singin\.eta/s);
});

test('CAUSEWAY_VIEWS is what a server shows, and one that is wrong keeps it from starting', async (t) => {
  const title = JSON.stringify({ sign_in: { title: 'Come aboard' } });
  const good = folderWith(t, { 'locales/en.json': title });
  const server = await startTestServer({ env: { CAUSEWAY_VIEWS: good } });
  t.teardown(() => server.close());
  const page = await server.browser().navigate('http://auth.test.localhost/login?ui_locales=en');
  t.true(page.text.includes('<h1>Come aboard'));
  const bad = folderWith(t, { 'causeway.css': '</style>' });
  await t.throwsAsync(startTestServer({ database: server.database, env: { CAUSEWAY_VIEWS: bad } }), {
    message: /causeway\.css/,
  });
  await t.throwsAsync(startTestServer({ database: server.database, env: { CAUSEWAY_VIEWS: `${bad}/none` } }), {
    message: /CAUSEWAY_VIEWS: .* is no folder/,
  });
});
