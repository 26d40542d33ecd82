// The published client, in both published versions, on the way of one-time codes, forgotten passwords and verification.

import test from 'ava';
import { freshEmail, startWithMailbox, tokenIn } from '../challenges/setup.ts';
import { PASSWORD } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { startFronts, VERSIONS } from './client.ts';
import { NEWS } from './wire.ts';

const { server, mailbox, close } = await startWithMailbox();
const fronts = await startFronts(server);
test.after.always(async () => {
  await fronts.close();
  await close();
});
const NEW_PASSWORD = 'another long password';
type Failed = { error: { message: string }; message?: string };

for (const version of Object.keys(VERSIONS) as (keyof typeof VERSIONS)[]) {
  test(`official client ${version}: sendOtp and updateWithOtp verify the account that this browser has made, without a session`, async (t) => {
    const email = freshEmail();
    const { client, sent } = fronts.clientOf(server.browser(), 'news', version);
    const made = await client.register({ name: 'Ada', email, username: email, password: PASSWORD, 'dont-login': true });
    t.is((made['user'] as { email: string }).email, email);
    const answer = await client.sendOtp(version === '2.8.1' ? email : { email });
    t.is(typeof answer['message'], 'string');
    t.is(answer['error'], undefined);
    if (version === '2.8.2') t.is(answer['status'], 200);
    const { code } = await mailbox.next(email);
    const updated = await client.updateWithOtp(String(code), { 'verification-status': 'email' });
    t.is(updated.status, 200);
    t.like(await updated.json(), { user: { email, 'verification-status': 'email' } });
    t.is(sent.at(-1)?.status, 200);
    t.is((await client.currentUser())['user'], undefined, 'and nobody is signed in');
    const { user } = (await client.login({ username: email, email, password: PASSWORD })) as { user: object };
    t.like(user, { 'verification-status': 'email' });
  });

  test(`official client ${version}: forgotPassword and resetPasswordWithToken set a new password`, async (t) => {
    const account = await server.makeAccount();
    const { client } = fronts.clientOf(server.browser(), 'news', version);
    t.is(typeof (await client.forgotPassword({ email: account.email }))['message'], 'string');
    const token = tokenIn((await mailbox.next(account.email)).link);
    const body = { 'new-password': NEW_PASSWORD, 'confirm-password': NEW_PASSWORD, token };
    const done = await client.resetPasswordWithToken(body);
    t.is(typeof done['message'], 'string');
    t.is(done['error'], undefined);
    const again = (await client.resetPasswordWithToken(body)) as Failed;
    t.regex(again.error.message, /used, expired or replaced/);
    t.like(await client.login({ username: '', email: account.email, password: NEW_PASSWORD }), {
      user: { email: account.email },
    });
  });

  test(`official client ${version}: resetPassword takes a code; its failure has no message at the top`, async (t) => {
    const account = await server.makeAccount();
    const { client } = fronts.clientOf(server.browser(), 'news', version);
    await client.sendOtp(version === '2.8.1' ? account.email : { email: account.email });
    const { code } = await mailbox.next(account.email);
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
    const body = { email: account.email, otp: wrong, 'new-password': NEW_PASSWORD };
    t.deepEqual(Object.keys(await client.resetPassword(body)), ['error']);
    t.deepEqual(Object.keys(await client.resetPassword({ ...body, otp: 17 })), ['error']);
    const done = await client.resetPassword({ ...body, otp: code });
    t.deepEqual(Object.keys(done), ['message']);
    t.like(await client.login({ username: '', email: account.email, password: NEW_PASSWORD }), {
      user: { email: account.email },
    });
  });

  test(`official client ${version}: sendVerificationLink mails a link, and says so alike for nobody's address`, async (t) => {
    const account = await server.makeAccount();
    const { client, sent } = fronts.clientOf(server.browser(), 'news', version);
    const answer = await client.sendVerificationLink(account.email, `${NEWS}/welcome`);
    t.deepEqual(await client.sendVerificationLink(freshEmail(), '/'), answer);
    t.deepEqual(
      sent.map(({ status }) => status),
      [200, 200],
    );
    const verified = await server.services.verification.confirm(
      await server.realm(),
      tokenIn((await mailbox.next(account.email)).link),
      null,
    );
    t.deepEqual(verified, { outcome: 'email-verified', redirectUrl: `${NEWS}/welcome` as never });
    const refused = (await client.sendVerificationLink(account.email, 'https://evil.test/')) as Failed;
    t.is(typeof refused.error.message, 'string');
  });
}

test('official client 2.8.2: sendOtp of a signed-in reader with an empty body goes to the own address, and updateWithOtp verifies it', async (t) => {
  const { browser, account } = await signedInBrowser(server);
  const { client } = fronts.clientOf(browser, 'news');
  t.is((await client.sendOtp({}))['status'], 200);
  const { code } = await mailbox.next(account.email);
  const updated = await client.updateWithOtp(String(code), { 'verification-status': 'email' });
  t.is(updated.status, 200);
  t.like((await client.currentUser())['user'] as object, { 'verification-status': 'email' });
});

test('official client 2.8.2: register and login take a code where there is no password', async (t) => {
  const email = freshEmail();
  const { client } = fronts.clientOf(server.browser(), 'news');
  await client.sendOtp({ email, 'always-send': true });
  const { user } = (await client.register({ email, otp: (await mailbox.next(email)).code })) as { user: object };
  t.like(user, { email, 'verification-status': 'email' });
  await client.logout();
  await client.sendOtp({ email });
  const answer = await client.login({ email, otp: (await mailbox.next(email)).code });
  t.like(answer, { user: { email }, 'active-sessions-count': 1 });
});
