// `causeway users reset-factors`, run as a process beside a running server.

import test from 'ava';
import { codeOf, enrol, passFirst, sendCode } from '../mfa/setup.ts';
import { startMailbox } from '../support/mailbox.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { runCauseway, SECRET } from './setup.ts';

const mailbox = await startMailbox();
const server = await startTestServer({ mailbox, env: { CAUSEWAY_SECRET: SECRET } });
test.after.always(async () => {
  await server.close();
  await mailbox.close();
});
const NEWS = originOf('news');
const env = { CAUSEWAY_SECRET: SECRET, SMTP_URL: mailbox.url, CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1' };
const run = (email: string) =>
  runCauseway(server.database.url, ['users', 'reset-factors', '--realm', 'test', '--email', email], { env });

test('security 169: who lost phone and codes is let in again by an operator: sessions end, the owner is told, the log says so', async (t) => {
  const account = await server.makeAccount();
  const { secret } = await enrol(server, account);
  await mailbox.next(account.email);
  const browser = server.browser();
  await passFirst(browser, account);
  t.is((await sendCode(browser, codeOf(secret))).status, 200);
  const waiting = server.browser();
  await passFirst(waiting, account);

  t.like(await run(account.email), { code: 0, stdout: 'removed: totp\n', stderr: '' });
  t.is((await browser.me(NEWS)).status, 401);
  t.is((await sendCode(waiting, codeOf(secret, { steps: 1 }))).status, 401);
  const again = await server.browser().post(`${NEWS}/api/auth/v1/login`, {
    email: account.email,
    password: 'a long enough password',
  });
  t.is(again.json().user.email, account.email);
  t.regex((await mailbox.next(account.email)).text, /authenticator app/i);
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'factor.removed' }), 1);
  t.is(await countRows(server, 'recovery_codes', { account_id: account.id }), 0);

  t.like(await run(account.email), { code: 0, stdout: 'it had no second factor\n' });
  t.like(await run('nobody@example.com'), {
    code: 1,
    stderr: 'Realm test has no account with the address nobody@example.com.\n',
  });
});
