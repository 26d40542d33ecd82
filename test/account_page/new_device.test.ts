import test from 'ava';
import { PASSWORD } from '../support/server.ts';
import { AUTH, startWithAccountPage } from './setup.ts';

const { server, mailbox, close } = await startWithAccountPage();
test.after.always(close);
const { db } = server.services;

async function signIn(browser: ReturnType<typeof server.browser>, email: string, password = PASSWORD) {
  const page = await browser.navigate(`${AUTH}/login`);
  return browser.submit(page, { identifier: email, password });
}

test('security 142: a sign-in in a new browser is told to the owner; the first one, and those in known browsers, are not', async (t) => {
  const account = await server.makeAccount();
  const [known, fresh] = [server.browser(), server.browser()];
  await signIn(known, account.email);
  known.jarOf('auth.test.localhost').delete('qt-auth');
  known.jarOf('auth.test.localhost').delete('__Host-qt-auth');
  t.is((await signIn(known, account.email)).location, '/');
  await signIn(fresh, account.email);
  const mail = await mailbox.next(account.email);
  t.regex(mail.subject, /New sign-in/);
  t.regex(mail.text, /Chrome/);
  t.true(String(mail.link).endsWith('/account/devices'));
  t.is(mailbox.to(account.email).length, 1);
  const events = await db.builder('audit_events').where({ account_id: account.id, type: 'sign-in.new-device' });
  t.is(events.length, 1);
});

test('security 142: failed tries are shown to the reader, with time and address and in words', async (t) => {
  const account = await server.makeAccount();
  await signIn(server.browser(), account.email, 'not the password');
  const browser = server.browser();
  await signIn(browser, account.email);
  const page = await browser.navigate(`${AUTH}/account/activity`);
  t.regex(page.text, /Failed try to sign in/);
  t.regex(page.text, /<time datetime="20/);
  t.regex(page.text, /127\.0\.0\.1/);
  const other = server.browser();
  await signIn(other, (await server.makeAccount()).email);
  t.notRegex((await other.navigate(`${AUTH}/account/activity`)).text, /Failed try/);
  const german = await browser.navigate(`${AUTH}/account/activity`, { headers: { 'Accept-Language': 'de' } });
  t.regex(german.text, /Fehlgeschlagene Anmeldung/);
});
