// The audit log: what is done stands in it once, with whom it concerns, where it came from and how it ended, without anything
// that opens anything, and stays as it was written.

import test from 'ava';
import type { EventType } from '../../server/audit/audit.ts';
import { freshEmail, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { codeOf, enrol, sendCode, wrongCodeOf } from '../mfa/setup.ts';
import type { Browser } from '../support/browser.ts';
import { API, AUTH } from '../support/raw.ts';
import { originOf, PASSWORD } from '../support/server.ts';

const { server, mailbox, close } = await startWithMailbox();
test.after.always(close);
const { db } = server.services;
const NEWS = originOf('news');
const NEW = 'quite another long password';
type Row = { id: string; type: EventType; account_id: string | null; address: string | null; detail: object };
type Reader = { account: Awaited<ReturnType<typeof server.makeAccount>>; browser: Browser };

const eventsOf = (id: string): Promise<Row[]> => db.builder('audit_events').where({ account_id: id }).orderBy('id');
const login = (browser: Browser, email: string, password = PASSWORD) =>
  browser.post(`${API}/login`, { email, password });

async function signedIn(): Promise<Reader> {
  const account = await server.makeAccount();
  const browser = server.browser();
  for (const site of [NEWS, AUTH])
    if ((await browser.post(`${site}/api/auth/v1/login`, { email: account.email, password: PASSWORD })).status !== 200)
      throw new Error('not signed in');
  return { account, browser };
}

/** An account with a second factor, and a browser that has passed the first. */
async function halfSignedIn() {
  const account = await server.makeAccount();
  const { secret, recoveryCodes } = await enrol(server, account);
  const browser = server.browser();
  await login(browser, account.email);
  return { account, browser, secret, recoveryCodes };
}

/** What one act of somebody adds to the log, all of it. */
const ACTS: [
  title: string,
  expected: EventType[],
  act: (note: (reader: Reader) => Promise<void>) => Promise<unknown>,
][] = [
  [
    'a right password',
    ['sign-in.succeeded'],
    async (note) => {
      const reader = { account: await server.makeAccount(), browser: server.browser() };
      await note(reader);
      await login(reader.browser, reader.account.email);
    },
  ],
  [
    'a wrong password',
    ['sign-in.failed'],
    async (note) => {
      const reader = { account: await server.makeAccount(), browser: server.browser() };
      await note(reader);
      await login(reader.browser, reader.account.email, 'not the password');
    },
  ],
  [
    'signing out',
    ['session.revoked'],
    async (note) => {
      const account = await server.makeAccount();
      const browser = server.browser();
      await login(browser, account.email);
      await note({ account, browser });
      await browser.fetch(`${API}/logout`);
    },
  ],
  [
    'a right code of the second factor',
    ['factor.used', 'sign-in.succeeded'],
    async (note) => {
      const reader = await halfSignedIn();
      await note(reader);
      await sendCode(reader.browser, codeOf(reader.secret));
    },
  ],
  [
    'a wrong code of the second factor',
    ['factor.failed'],
    async (note) => {
      const reader = await halfSignedIn();
      await note(reader);
      await sendCode(reader.browser, wrongCodeOf(reader.secret));
    },
  ],
  [
    'a recovery code',
    ['recovery-code.used', 'sign-in.succeeded'],
    async (note) => {
      const reader = await halfSignedIn();
      await note(reader);
      await sendCode(reader.browser, String(reader.recoveryCodes[0]));
    },
  ],
  [
    'a new password on the account page, with another session open',
    ['password.changed', 'session.revoked'],
    async (note) => {
      const reader = await signedIn();
      await note(reader);
      const page = await reader.browser.navigate(`${AUTH}/account/password`);
      await reader.browser.submit(page, { current: PASSWORD, password: NEW });
    },
  ],
  [
    'a new password by a letter',
    ['password.reset'],
    async (note) => {
      const reader = { account: await server.makeAccount(), browser: server.browser() };
      await db.builder('accounts').where({ id: reader.account.id }).update({ verification_status: 'email' });
      await note(reader);
      await reader.browser.post(`${API}/users/forgot-password`, { email: reader.account.email });
      const token = tokenIn((await mailbox.next(reader.account.email)).link);
      await reader.browser.post(`${API}/users/reset-password-with-token`, {
        token,
        'new-password': NEW,
        'confirm-password': NEW,
      });
    },
  ],
  [
    'another name on the profile',
    ['account.updated'],
    async (note) => {
      const reader = await signedIn();
      await note(reader);
      await reader.browser.post(`${API}/users/profile`, { name: 'Another Name' });
    },
  ],
];

for (const [title, expected, act] of ACTS)
  test(`security 175: ${title} is in the log once: ${expected.join(', ')}`, async (t) => {
    let reader: Reader | null = null;
    let before: Row[] = [];
    await act(async (noted) => {
      reader = noted;
      before = await eventsOf(noted.account.id);
    });
    const { account } = reader as unknown as Reader;
    const after = await eventsOf(account.id);
    t.deepEqual(after.slice(0, before.length), before, 'what was there is as it was');
    const added = after.slice(before.length);
    t.deepEqual(added.map(({ type }) => type).sort(), expected);
    for (const { address, type } of added) t.is(address, '127.0.0.1', type);
    const text = JSON.stringify(after);
    for (const secret of [PASSWORD, NEW, account.email, 'not the password']) t.false(text.includes(secret));
  });

test('security 175: signing up is one account and one sign-in; a try at nobody’s account names nobody', async (t) => {
  const [email, stranger] = [freshEmail(), freshEmail()];
  const browser = server.browser();
  t.is((await browser.post(`${API}/signup`, { email, password: PASSWORD, name: 'Nora' })).status, 200);
  const { id } = await db.builder('accounts').first('id').where({ email_canonical: email });
  const types = (await eventsOf(id)).map(({ type }) => type);
  t.deepEqual(types.toSorted(), ['account.created', 'sign-in.succeeded']);
  await login(server.browser(), stranger);
  const rows: Row[] = await db.builder('audit_events').where({ type: 'sign-in.failed', account_id: null });
  t.is(rows.length, 1);
  t.false(JSON.stringify(rows).includes(stranger));
});

test('security 175: an account that is erased leaves its events as they were, and one more', async (t) => {
  const { account, browser } = await signedIn();
  const before = await eventsOf(account.id);
  t.true(before.length > 0);
  const page = await browser.navigate(`${AUTH}/account/delete`);
  await browser.submit(page, { confirmation: account.email, email: account.email });
  const after = await eventsOf(account.id);
  t.deepEqual(after.slice(0, before.length), before);
  t.is(after.filter(({ type }) => type === 'account.deleted').length, 1);
});

test('security 175: what is rolled back was not done, and is not in the log', async (t) => {
  const { account } = await signedIn();
  const { audit } = server.services;
  const before = await eventsOf(account.id);
  await t.throwsAsync(
    db.transaction(async (q) => {
      await audit.record(q, { type: 'account.updated', realmId: account.realmId, accountId: account.id });
      throw new Error('no');
    }),
    { message: 'no' },
  );
  t.deepEqual(await eventsOf(account.id), before);
});
