import test from 'ava';
import { readRealmFile } from '../../../server/commands/realm_file.ts';
import { runCauseway } from '../../commands/setup.ts';
import { untilReceipt } from '../../support/logout_sink.ts';
import { originOf } from '../../support/server.ts';
import { signedInBrowser } from '../../support/signed_in.ts';
import { realmYaml, startWithSink, visit } from './setup.ts';

const { sink, server, close } = await startWithSink([
  ...['quick', 'slow', 'refuses'].map((id) => ({ id })),
  { id: 'deaf', isUntold: true },
]);
test.after.always(close);
sink.plan('slow', 'hang');
sink.plan('refuses', 400);
const [AUTH, NEWS, SPORTS] = [originOf('auth'), originOf('news'), originOf('sports')];
const COMMAND = { env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1' } };

/** The text of a page, tags gone. */
const textOf = (html: string) =>
  html
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

/** Signs out by the button on the auth domain. */
async function signOutByButton(browser: Awaited<ReturnType<typeof signedInBrowser>>['browser']) {
  const answer = await browser.submit(await browser.navigate(`${AUTH}/logout`), {});
  return new URL(answer.location ?? '', AUTH).href;
}

test('the page after signing out counts the sites, names them with what became of them, and a reload knows more', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth', 'news', 'sports']);
  await visit(server, browser, ['quick', 'slow', 'refuses', 'deaf']);
  const url = await signOutByButton(browser);
  t.is(url, `${AUTH}/signed-out`);
  await browser.navigate(url);
  for (const [client, state] of [
    ['quick', 'acknowledged'],
    ['news', 'acknowledged'],
    ['refuses', 'refused'],
  ] as const)
    await untilReceipt(server, { session: session.id, client, state });
  const page = await browser.navigate(url);
  const text = textOf(page.text);
  t.regex(text, /Signed out of 6 sites, 3 confirmed\./);
  t.regex(text, /Product deaf : cannot be told/);
  t.regex(text, /Product quick : signed out, and confirmed it/);
  t.regex(text, /Product refuses : would not be told/);
  t.regex(text, /Product slow : being told/);
  t.regex(text, /The News : signed out, and confirmed it/);
  t.regex(text, /The Sports : signed out /);
  t.notRegex(text, /The Shop :/);
  t.false(page.text.includes(session.id));
  t.notRegex(page.text, /<script/);
  const german = await browser.navigate(url, { headers: { 'Accept-Language': 'de' } });
  t.regex(textOf(german.text), /Von 6 Seiten abgemeldet, 3 bestätigt\./);
});

test('the page tells nothing to another browser', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth', 'news']);
  const url = await signOutByButton(browser);
  t.regex(textOf((await browser.navigate(url)).text), /Signed out of 1 site, \d confirmed/);
  for (const other of [server.browser(), (await signedInBrowser(server, ['news'])).browser])
    t.notRegex(textOf((await other.navigate(url)).text), /confirmed/);
});

test('whom a client domain asked about signing out is told there which sites were reached, and who asks again sees more', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth', 'news', 'sports']);
  await visit(server, browser, ['quick', 'slow']);
  const asked = await browser.navigate(`${NEWS}/api/auth/v1/logout`);
  const url = new URL((await browser.submit(asked, {})).location ?? '', NEWS).href;
  t.is(url, `${NEWS}/api/auth/v1/signed-out`);
  for (const client of ['quick', 'news'])
    await untilReceipt(server, { session: session.id, client, state: 'acknowledged' });
  const page = await browser.navigate(url, { from: asked.url });
  t.is(page.status, 200);
  const text = textOf(page.text);
  t.regex(text, /Signed out of 4 sites, 3 confirmed\./);
  t.regex(text, /The News : signed out, and confirmed it/);
  t.regex(text, /Product slow : being told/);
  t.regex(page.text, /<a class="button primary" href="\/">Continue<\/a>/);
  t.false(page.text.includes(session.id));
  t.is(page.headers['cache-control'], 'no-store');
  // Neither another browser, nor this one on another site, is told anything; who is signed in is sent to the site.
  t.notRegex(textOf((await server.browser().navigate(url)).text), /confirmed/);
  t.notRegex(textOf((await browser.navigate(`${SPORTS}/api/auth/v1/signed-out`)).text), /confirmed/);
  t.is((await (await signedInBrowser(server, ['news'])).browser.navigate(url)).location, '/');
});

test('RP-Initiated Logout: without a way back the reader sees which sites were signed out', async (t) => {
  const { browser } = await signedInBrowser(server, ['auth', 'sports']);
  const { quick } = await visit(server, browser, ['quick']);
  const answer = await browser.navigate(`${AUTH}/oauth/end_session?id_token_hint=${quick}`, {
    from: 'https://rp.example/',
  });
  const page = await browser.navigate(new URL(answer.location ?? '', AUTH).href);
  t.regex(textOf(page.text), /Signed out of 2 sites, 2 confirmed\./);
});

test('sessions receipts lists what each site was told: of a session, of an account, of the realm', async (t) => {
  const { account, session, browser } = await signedInBrowser(server, ['auth', 'sports']);
  await visit(server, browser, ['quick', 'refuses']);
  await signOutByButton(browser);
  for (const [client, state] of [
    ['quick', 'acknowledged'],
    ['refuses', 'refused'],
  ] as const)
    await untilReceipt(server, { session: session.id, client, state });
  for (const args of [
    ['--session', session.id],
    ['--email', account.email as string],
  ]) {
    const { code, stdout } = await runCauseway(
      server.database.url,
      ['sessions', 'receipts', '--realm', 'test', ...args],
      COMMAND,
    );
    t.is(code, 0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    t.deepEqual(lines.shift(), ['SESSION', 'ENDED', 'CLIENT', 'STATE', 'TRIES', 'LAST TRY', 'LAST ANSWER']);
    t.deepEqual(
      lines.map(([id, , client, state, tries, , answer]) => [id, client, state, tries, answer]),
      [
        [session.id, 'quick', 'acknowledged', '1', 'HTTP 200'],
        [session.id, 'refuses', 'refused', '1', 'HTTP 400'],
        [session.id, 'sports', 'ended', '0', '-'],
      ],
    );
  }
  const all = await runCauseway(server.database.url, ['sessions', 'receipts', '--realm', 'test'], COMMAND);
  t.true(all.stdout.includes(session.id));
  const wrong = await runCauseway(
    server.database.url,
    ['sessions', 'receipts', '--realm', 'test', '--email', 'nobody@example.com'],
    COMMAND,
  );
  t.is(wrong.code, 1);
  t.regex(wrong.stderr, /no account with the address nobody@example\.com/);
});

const endpoints: [url: string, allowLoopback: boolean, fault: RegExp | null][] = [
  ['https://product.example/logout', false, null],
  ['http://127.0.0.1:9999/logout', false, /needs CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK/],
  ['http://rp.localhost/logout', false, /needs CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK/],
  ['http://127.0.0.1:9999/logout', true, null],
  ['https://10.0.0.1/logout', true, /an address cannot be registered/],
  ['https://169.254.169.254/latest', false, /an address cannot be registered/],
  ['https://[::ffff:127.0.0.1]/logout', false, /an address cannot be registered/],
  ['http://product.example/logout', true, /with https/],
  ['https://user:pass@product.example/logout', false, /without a user name/],
  ['https://product.example/logout#x', false, /without a fragment/],
];
for (const [url, allowLoopback, fault] of endpoints) {
  test(`security 132: backchannel_logout_uri ${url} is ${fault ? 'refused' : 'registered'}${allowLoopback ? ' where loopback is allowed' : ''}`, (t) => {
    const yaml = realmYaml(() => url, [{ id: 'rp' }]).replaceAll('.test.localhost', '.test.example');
    const faults = readRealmFile(yaml, {
      fileName: 'realm.yaml',
      folder: '.',
      environment: {},
      allowLoopback,
    }).yaml.faults();
    t.is(faults.length, fault ? 2 : 0, faults.join('\n'));
    if (fault) t.regex(faults.join('\n'), fault);
  });
}
