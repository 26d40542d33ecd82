import test from 'ava';
import { freshEmail, startWithMailbox } from '../challenges/setup.ts';
import { PASSWORD } from '../support/server.ts';
import { beginSession, keepIn } from '../support/signed_in.ts';
import { AUTH, click, headingOf, isSignedIn, NEWS, noticeOf } from './pages.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);

/** Somebody with a verified address who has asked for another; the browser that asked, and the link in the letter. */
async function askForChange() {
  const account = await server.makeAccount();
  await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  const browser = server.browser();
  keepIn(browser, await beginSession(server, account));
  const email = freshEmail();
  const domain = new URL(AUTH).host;
  const credential = browser.jarOf(domain);
  const signedIn = await server.services.accounts.findSignedIn(
    {
      kind: 'cookie',
      token: credential.get('qt-auth') as never,
      companion: credential.get('__Host-qt-auth') as never,
    },
    domain as never,
  );
  if (!signedIn) throw new Error('not signed in');
  const asker = { address: '127.0.0.1', locale: 'en', browserHash: null };
  await server.services.emailChange.request(await server.realm(), signedIn, email, asker);
  return { account, browser, email, link: String((await mailbox.next(email)).link) };
}

const me = async (browser: { me(site: string): Promise<{ json(): { user: { email: string } } }> }) =>
  (await browser.me(NEWS)).json().user.email;

test('security 153: the new address counts after its button, the old one is told and can take it back', async (t) => {
  const { account, browser, email, link } = await askForChange();
  const anywhere = server.browser();
  const page = await anywhere.follow(link);
  t.is(headingOf(page), 'Use this email address?');
  t.true(page.text.includes(email));
  t.is(await me(browser), account.email, 'looking changes nothing');
  const stale = await anywhere.submit(page, { csrf_token: 'old' });
  t.true(noticeOf(stale)?.includes('press the button once more'));
  const changed = await anywhere.submit(stale, {});
  t.deepEqual([changed.status, headingOf(changed)], [200, 'Address changed']);
  t.is(await me(browser), email);
  t.false(await isSignedIn(anywhere), 'the link signs nobody in');

  const told = await mailbox.next(account.email);
  const undoPage = await anywhere.follow(String(told.link));
  t.is(headingOf(undoPage), 'Was that not you?');
  t.true(undoPage.text.includes('This was not me: restore my old address and sign out everywhere'));
  t.is(await me(browser), email);
  const undone = await anywhere.submit(undoPage, {});
  t.is(headingOf(undone), 'Your old address is back');
  t.false(await isSignedIn(browser, NEWS));
  t.false(await isSignedIn(browser));
  const forgot = await click(anywhere, undone, 'Choose a new password');
  t.true(forgot.text.includes(`value="${account.email}"`));
  const back = await anywhere.submit(await anywhere.navigate(`${AUTH}/login`), {
    identifier: account.email,
    password: PASSWORD,
  });
  t.is(back.status, 303);
  for (const used of [link, String(told.link)])
    t.is(headingOf(await anywhere.follow(used)), 'This link was used already');
});

test('an address that somebody takes meanwhile changes nothing and is said', async (t) => {
  const { account, browser, email, link } = await askForChange();
  await server.makeAccount({ email });
  const answer = await browser.submit(await browser.follow(link), {});
  t.deepEqual([answer.status, headingOf(answer)], [409, 'This address has an account']);
  t.is(await me(browser), account.email);
});

test('security 148: links of one purpose are unknown on the pages of every other', async (t) => {
  const { link } = await askForChange();
  const token = new URL(link).searchParams.get('token');
  const browser = server.browser();
  for (const path of ['/verify-email', '/login/link', '/undo-email-change', '/reset-password']) {
    const page = await browser.follow(`${AUTH}${path}?token=${token}`);
    t.true([404, 410].includes(page.status), path);
    t.false(page.text.includes('<form'), path);
  }
  t.is((await browser.follow(link)).status, 200);
});

test('security 9: a scanner that opens the links to the new and to the old address changes nothing', async (t) => {
  const { account, browser, link } = await askForChange();
  const scanner = server.browser();
  await scanner.navigate(link, { method: 'HEAD' });
  await scanner.navigate(link, { headers: { 'Sec-Purpose': 'prefetch' } });
  t.is(await me(browser), account.email);
  await browser.submit(await browser.follow(link), {});
  const told = String((await mailbox.next(account.email)).link);
  await scanner.navigate(told, { method: 'HEAD' });
  for (const _ of [1, 2]) t.is((await scanner.follow(told)).status, 200);
  t.true(await isSignedIn(browser));
});
