import test from 'ava';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { countRows, signedInBrowser } from '../support/signed_in.ts';
import { getRaw, sendRaw } from '../support/sockets.ts';

const server = await startTestServer({
  yaml: REALM_YAML.replace('signup: open', 'signup: open, sign_in_per_account: 3/15m'),
});
test.after.always(() => server.close());
const NEWS = originOf('news');

const variantsOf = (path: string) => [
  `/${path}`,
  path.replace('/api/', '//api/'),
  path.replaceAll('/', '//'),
  path.replace('/v1/', '/v1//'),
  `${path}/`,
  `${path}//`,
  path.toUpperCase(),
  path.replace('/api/', '/API/'),
  path.replace('/v1/', '/V1/'),
  path.replace('/v1/', '/v1/./'),
  path.replace('/v1/', '/v1/x/../'),
  path.replace('/api/', '/./api/'),
  path.replace('/v1/', '/%761/'),
  path.replace('/api/', '/%61pi/'),
  path.replace('/api/', '%2fapi%2f'),
  path.replace('/v1/', '/v1%2f'),
  path.replace('/v1/', '/v1\\'),
  `${path}%20`,
  `${path}%00`,
  `${path}.`,
  `${path};x`,
  `${path};`,
  `${path}%3b`,
  `${path}%2f`,
  path.replace('/v1/', ';/v1/'),
  path.slice(0, -1) + path.slice(-1).toUpperCase(),
  path.replace('/api', '/api/.'),
  `/x/..${path}`,
];

for (const path of [
  '/api/auth/v1/users/me',
  '/api/auth/v1/sessions',
  '/api/auth/v1/sessions/validate',
  '/api/auth/v1/oauth/authorize',
]) {
  test(`security 76: other spellings of ${path} are other addresses`, async (t) => {
    const { session } = await signedInBrowser(server);
    for (const variant of variantsOf(path)) {
      const answer = await getRaw(server.port, variant, [`Host: ${HOSTS.news}`, `Cookie: ${session.cookies['news']}`]);
      // Below /sessions/ every other word is the id of a session, which can only be deleted.
      const isOther =
        [400, 404].includes(answer.status) || (answer.status === 405 && answer.headers['allow'] === 'DELETE');
      t.true(isOther, `${variant}: ${answer.status}`);
      t.is(answer.headers['cache-control'], 'no-store');
      t.false(answer.body.includes('@example.com'));
    }
  });
}

test('security 76: the pages of the auth domain have one spelling too', async (t) => {
  for (const path of [
    '/Login',
    '/login/',
    '//login',
    '/LOGIN',
    '/%6cogin',
    '/./login',
    '/signup/',
    '/Signed-Out',
    '/logout/',
    '//',
    '/.',
    '/%2f',
    '/index.html',
  ]) {
    const answer = await getRaw(server.port, path, [`Host: ${HOSTS.auth}`, 'Accept: text/html']);
    t.is(answer.status, 404, path);
  }
});

test('security 76: no spelling of the sign-in address gets round the limit on tries', async (t) => {
  const account = await server.makeAccount();
  const spellings = [...variantsOf('/api/auth/v1/login'), '/api/auth/v1/%6cogin', '/api/auth/v1/LOGIN'];
  const post = (path: string, password: string) => {
    const body = JSON.stringify({ email: account.email, password });
    return sendRaw(
      server.port,
      `POST ${path} HTTP/1.1\r\nHost: ${HOSTS.news}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  };
  for (const spelling of spellings) {
    const answer = await post(spelling, PASSWORD);
    t.true(answer.status === 404 || answer.status === 400, `${spelling}: ${answer.status}`);
    t.is(answer.headers['set-cookie'], undefined);
  }
  t.is(await countRows(server, 'audit_events', { account_id: account.id, type: 'sign-in.succeeded' }), 0);
  for (let count = 0; count < 3; count++) t.is((await post('/api/auth/v1/login', 'wrong')).status, 401);
  t.is((await post('/api/auth/v1/login', PASSWORD)).status, 429);
  // Other spellings of the account count as the same account.
  for (const email of [account.email.toUpperCase(), ` ${account.email} `]) {
    t.is((await server.browser().post(`${NEWS}/api/auth/v1/login`, { email, password: PASSWORD })).status, 429, email);
  }
  t.is(
    (await server.browser().post(`${NEWS}/api/auth/v1/login?x=1#y`, { email: account.email, password: PASSWORD }))
      .status,
    429,
  );
});
