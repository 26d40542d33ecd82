import test from 'ava';
import { PASSWORD } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { AUTH, startWithAccountPage } from './setup.ts';

const PAGE = `${AUTH}/account/password`;
const { server, close } = await startWithAccountPage('', 'sign_in_per_account: 3/15m');
test.after.always(close);

test('security 143: wrong current passwords are counted with those at sign-in; the right one then has to wait as well', async (t) => {
  const { account, browser } = await signedInBrowser(server, ['auth']);
  const page = await browser.navigate(PAGE);
  const given = { current: 'not the password', password: 'quite another long password' };
  for (let n = 0; n < 3; n++) t.is((await browser.submit(page, given)).status, 400);
  const paused = await browser.submit(page, { ...given, current: PASSWORD });
  t.is(paused.status, 429);
  t.true(Number(paused.headers['retry-after']) > 0);
  t.regex(paused.text, /we pause for a while/);
  const stranger = server.browser();
  const signIn = await stranger.navigate(`${AUTH}/login`);
  t.is((await stranger.submit(signIn, { identifier: account.email, password: PASSWORD })).status, 429);
  const told = await browser.navigate(`${AUTH}/account/activity`);
  t.is(told.text.match(/Failed try to sign in/g)?.length, 3);
});
