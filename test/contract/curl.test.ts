// The sample calls of the documents (Bridgekeeper's pages on single sign-on and on sessions) as they stand there but for the
// hosts and values. The markdown of the first writes `client\_id`; the calls themselves have no backslash.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { landingOf, PASSWORD, startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { WAYS } from './curl.ts';
import { API, AUTH, NEWS, plainUser } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const LANDING = landingOf('news');
const QUERY = `client_id=news&response_type=code&redirect_uri=${LANDING}&callback_uri=${NEWS}/story`;
const JSON_TYPE = ['-H', 'content-type: application/json'];

for (const { name, run } of WAYS) {
  const curl = (...args: string[]) => run(server.port, args);

  test(`sample authorize, step 1, with ${name}: 303 from the client domain to the auth domain`, async (t) => {
    const shown = await curl('--request', 'GET', `${NEWS}${API}/oauth/authorize?${QUERY}`);
    t.is(shown.status, 303, shown.body);
    t.true(shown.headers['location']?.startsWith(`${AUTH}${API}/oauth/authorize?client_id=news&redirect_uri=`));
    t.is(shown.body, '');
  });

  test(`sample authorize, step 4, with ${name}: 200 and the next URL in the body, the sign-in page when nobody is signed in`, async (t) => {
    const url = `${AUTH}${API}/oauth/authorize?${QUERY}&allow_ajax=true`;
    const shown = await curl('--request', 'GET', url);
    t.is(shown.status, 200, shown.body);
    t.true(JSON.parse(shown.body).redirect_url.startsWith(`${AUTH}/login?client_id=news&`));
    const { session } = await signedInBrowser(server, ['auth']);
    const signedIn = await curl('--request', 'GET', url, '-H', `Cookie: ${session.cookies['auth']}`);
    t.is(signedIn.status, 200, signedIn.body);
    const { redirect_url: to } = JSON.parse(signedIn.body);
    t.true(to.startsWith(`${LANDING}?code=`));
    t.is(new URL(to).searchParams.get('callback_uri'), `${NEWS}/story`);
  });

  test(`sample form login, step 3, with ${name}: by e-mail, by user name and by both, without Origin or Fetch Metadata`, async (t) => {
    const account = await server.makeAccount({ username: `u${randomBytes(6).toString('hex')}` });
    for (const given of [
      { username: '', email: account.email },
      { username: account.username, email: '' },
      { username: account.username, email: account.email },
    ]) {
      const shown = await curl(
        `${AUTH}${API}/login`,
        ...JSON_TYPE,
        '--data-raw',
        JSON.stringify({ ...given, password: PASSWORD }),
      );
      t.is(shown.status, 200, shown.body);
      t.deepEqual(JSON.parse(shown.body).user, plainUser(account));
      t.is(shown.cookies['qt-auth'], shown.headers['x-qt-auth']);
    }
    const empty = await curl(
      `${AUTH}${API}/login`,
      ...JSON_TYPE,
      '--data-raw',
      '{"username":"","email":"","password":"password"}',
    );
    t.is(empty.status, 401);
    t.is(JSON.parse(empty.body).message, 'The e-mail address or user name and the password do not match.');
  });

  test(`security 56, 185: sample login of the session page, with ${name}, names no content type: 415 says which, and with it it signs in`, async (t) => {
    const account = await server.makeAccount();
    const body = JSON.stringify({ username: account.email, email: account.email, password: PASSWORD });
    const sample = ['--request', 'POST', `${NEWS}${API}/login`, '--data-raw', body, '--compressed'];
    const refused = await curl(...sample);
    t.is(refused.status, 415);
    t.is(JSON.parse(refused.body).message, 'Send the body as application/json.');
    t.deepEqual(refused.cookies, {});
    t.is((await curl(...sample, ...JSON_TYPE)).status, 200);
  });

  test(`samples of the session page, with ${name}: validate, list and logout by the header x-qt-auth`, async (t) => {
    const { account, session } = await signedInBrowser(server);
    const header = ['-H', `x-qt-auth: ${session.credentials['news']?.token}`];
    const validated = await curl('--request', 'GET', `${NEWS}${API}/sessions/validate`, ...header);
    t.is(validated.status, 200, validated.body);
    t.deepEqual(JSON.parse(validated.body).user, plainUser(account));
    t.is((await curl('--request', 'POST', `${NEWS}${API}/sessions/validate`, ...header)).status, 200);
    const listed = await curl('--request', 'GET', `${NEWS}${API}/sessions`, ...header);
    t.is(JSON.parse(listed.body).sessions.length, 1);
    const ended = await curl('--request', 'GET', `${NEWS}${API}/logout`, ...header);
    t.is(ended.status, 204);
    t.is(ended.body, '');
    t.is((await curl('--request', 'GET', `${NEWS}${API}/sessions/validate`, ...header)).status, 401);
  });

  test(`security 43: users/me with ${name} takes both cookies or the header; qt-auth without its companion is nobody`, async (t) => {
    const account = await server.makeAccount();
    const body = JSON.stringify({ email: account.email, password: PASSWORD });
    const { cookies } = await curl(`${NEWS}${API}/login`, ...JSON_TYPE, '--data-raw', body);
    const me = (line: string) => curl(`${NEWS}${API}/users/me`, '-H', line);
    const [token, companion] = [cookies['qt-auth'], cookies['__Host-qt-auth']];
    const shown = await me(`Cookie: qt-auth=${token}; __Host-qt-auth=${companion}`);
    t.deepEqual(JSON.parse(shown.body), {
      user: plainUser(account),
      'active-sessions-count': 1,
      source: 'bridgekeeper',
    });
    t.is((await me(`X-QT-AUTH: ${token}`)).status, 200);
    t.is((await me(`Cookie: qt-auth=${token}`)).status, 401);
    t.is((await me(`X-QT-AUTH: ${companion}`)).status, 401);
  });
}
