import test from 'ava';
import { originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { codeOf, type Enrolled, enrolledAccount, passFirst, sendCode } from './setup.ts';

// Apart from the others: the clock of this database moves.
const server = await startTestServer();
test.after.always(() => server.close());
let one: Enrolled;
let other: Enrolled;
test.before(async () => {
  [one, other] = [await enrolledAccount(server), await enrolledAccount(server)];
});

test.serial('security 171: a challenge is over after ten minutes, by the clock of the database', async (t) => {
  const { account, secret } = one;
  const browser = server.browser();
  await passFirst(browser, account);
  await server.database.moveClock(599);
  const late = server.browser();
  await passFirst(late, account);
  await server.database.moveClock(2);
  t.is((await sendCode(browser, codeOf(secret, { moved: 601 }))).status, 401);
  t.is((await browser.me(originOf('news'))).status, 401);
  t.is((await sendCode(late, codeOf(secret, { moved: 601 }))).status, 200);
});

test.serial('challenges that are over are swept', async (t) => {
  await passFirst(server.browser(), other.account);
  await server.database.moveClock(601);
  const job = server.services.mfa.jobs[0];
  t.false(await server.services.db.transaction((q) => job?.run(q) ?? Promise.resolve(true)));
  t.is(await countRows(server, 'second_factor_challenges', {}), 0);
});
