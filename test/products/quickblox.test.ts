import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { send } from '../support/browser.ts';
import { originOf, PASSWORD, startTestServer } from '../support/server.ts';
import { addByTemplate, createQuickBlox, readQuickBloxForm } from './support.ts';
import { obtainToken } from './tokens.ts';

const AUTH = originOf('auth');
const APP = 'https://app.example/cb';
const server = await startTestServer();
const add = async (id: string, ...args: string[]) =>
  readQuickBloxForm(
    (await addByTemplate(server, ['--id', id, '--template', 'quickblox', '--redirect-uri', APP, ...args])).form,
  );
const byHeader = await add('qb', '--header-user', 'IdP_user_ID', '--header-token', 'IdP_token', '--method', 'POST');
const byHeaderGet = await add(
  'qb-get',
  '--header-user',
  'IdP_user_ID',
  '--header-token',
  'IdP_token',
  '--method',
  'GET',
);
const byQuery = await add('qb-query', '--param-user', 'IdP_user_ID', '--param-token', 'IdP_token', '--method', 'GET');
const byBody = await add('qb-body', '--param-user', 'IdP_user_ID', '--param-token', 'IdP_token', '--accept-password');
const ofRealm = readQuickBloxForm(
  (
    await addByTemplate(server, [
      '--id',
      'qb-realm',
      '--template',
      'quickblox',
      '--header-user',
      'X_User',
      '--header-token',
      'X_Token',
    ])
  ).form,
);
test.after.always(() => server.close());

test("contract §4 QuickBlox: the template prints the fields of the Custom Identity Provider box, in QuickBlox's format", (t) => {
  t.deepEqual(byHeader, {
    apiUrl: `${AUTH}/verify/qb`,
    requestType: 'POST',
    headers: { IdP_user_ID: '#{login}', IdP_token: '#{password}' },
    params: {},
    response: {
      uid: '#{user.id}',
      login: '#{user.login}',
      full_name: '#{user.full_name}',
      email: '#{user.email}',
      external_user_id: '#{user.id}',
    },
  });
  t.deepEqual(
    [byQuery.requestType, byQuery.headers, byQuery.params],
    ['GET', {}, { IdP_user_ID: '#{login}', IdP_token: '#{password}' }],
  );
});

const ways = [
  ['headers and POST', byHeader, 'qb'],
  ['headers and GET', byHeaderGet, 'qb-get'],
  ['query parameters', byQuery, 'qb-query'],
  ['body parameters', byBody, 'qb-body'],
] as const;
for (const [title, form, id] of ways) {
  test(`contract §4 QuickBlox: a QuickBlox user is made of an access token by ${title}, and found again by uid`, async (t) => {
    const account = await server.makeAccount({ name: 'Harbour Chatter', username: `chat-${id}` });
    const quickBlox = createQuickBlox(server, form);
    const token = await obtainToken(server, account, { clientId: id, redirectUri: APP });
    const first = await quickBlox.createSession({ login: account.id, password: token });
    t.is(first.status, 201, JSON.stringify(first.body));
    t.deepEqual(quickBlox.users.get(account.id), {
      uid: account.id,
      login: `chat-${id}`,
      full_name: 'Harbour Chatter',
      email: account.email,
      external_user_id: Number(account.id),
    });
    const again = await quickBlox.createSession({ login: account.sub, password: token });
    t.deepEqual([again.body['isNew'], again.body['user'].uid], [false, account.id]);
  });
}

test("contract §4 QuickBlox: underscores of header names arrive as hyphens, and the application's own spelling is taken too", async (t) => {
  const account = await server.makeAccount();
  const token = await obtainToken(server, account, { clientId: 'qb', redirectUri: APP });
  const quickBlox = createQuickBlox(server, byHeader);
  t.is((await quickBlox.createSession({ login: account.id, password: token })).status, 201);
  t.deepEqual(Object.keys(quickBlox.sent[0]!.headers), ['IdP-user-ID', 'IdP-token']);
  for (const headers of [
    { IdP_user_ID: account.id, IdP_token: token },
    { 'idp-user-id': account.id, 'IDP-TOKEN': token },
  ])
    t.is((await send(server.port, byHeader.apiUrl, { headers })).status, 200);
});

test('contract §4 QuickBlox: an error is JSON with 401, which the application gets as it is', async (t) => {
  const [account, other] = [await server.makeAccount(), await server.makeAccount()];
  const quickBlox = createQuickBlox(server, byHeader);
  const token = await obtainToken(server, account, { clientId: 'qb', redirectUri: APP });
  const refused = {
    error: 'invalid_token',
    error_description: 'The credential is unknown, wrong, expired or of another user.',
  };
  for (const user of [
    { login: other.id, password: token },
    { login: account.id, password: 'x' },
    { login: account.id, password: '' },
    { login: account.id, password: PASSWORD },
    { login: account.email, password: createTaggedToken('cwa') },
  ]) {
    t.deepEqual(await quickBlox.createSession(user), { status: 401, body: refused });
  }
  t.is(quickBlox.users.size, 0);
});

test('RFC 9700 §2.3: an access token of another client does not verify, unless the operator counts those of the realm', async (t) => {
  const account = await server.makeAccount();
  const token = await obtainToken(server, account, { clientId: 'qb-get', redirectUri: APP });
  t.is((await createQuickBlox(server, byHeader).createSession({ login: account.id, password: token })).status, 401);
  const quickBlox = createQuickBlox(server, ofRealm);
  t.is((await quickBlox.createSession({ login: account.id, password: token })).status, 201);
});

test('a token that was revoked with its session does not verify any more', async (t) => {
  const account = await server.makeAccount();
  const token = await obtainToken(server, account, { clientId: 'qb', redirectUri: APP });
  const quickBlox = createQuickBlox(server, byHeader);
  t.is((await quickBlox.createSession({ login: account.id, password: token })).status, 201);
  const { db, sessions } = server.services;
  const realm = await server.realm();
  await db.transaction((q) =>
    sessions.revokeAllOf(q, { realmId: realm.id, accountId: account.id }, { reason: 'operator', address: null }),
  );
  t.is((await quickBlox.createSession({ login: account.id, password: token })).status, 401);
});

test('contract §4 QuickBlox: user name and password verify where the operator allows it', async (t) => {
  const account = await server.makeAccount({ username: 'chat-password' });
  const quickBlox = createQuickBlox(server, byBody);
  for (const login of [account.email, 'chat-password'])
    t.is((await quickBlox.createSession({ login, password: PASSWORD })).status, 201);
  t.is((await quickBlox.createSession({ login: account.email, password: 'wrong password' })).status, 401);
  t.is(
    (await createQuickBlox(server, byHeader).createSession({ login: account.email, password: PASSWORD })).status,
    401,
  );
});

test('security 138: password tries at the verification endpoint count against the limits of sign-in', async (t) => {
  const account = await server.makeAccount();
  const quickBlox = createQuickBlox(server, byBody);
  for (let tries = 0; tries < 20; tries++)
    t.is((await quickBlox.createSession({ login: account.email, password: 'wrong' })).status, 401);
  const held = await quickBlox.createSession({ login: account.email, password: PASSWORD });
  t.is(held.status, 429);
  const browser = server.browser();
  const page = await browser.navigate(`${AUTH}/login`);
  t.is((await browser.submit(page, { identifier: account.email, password: PASSWORD })).status, 429);
});

test('a body may also be JSON; a header and a parameter that disagree are refused; an unknown client is 404', async (t) => {
  const account = await server.makeAccount();
  const token = await obtainToken(server, account, { clientId: 'qb-body', redirectUri: APP });
  const json = (body: object, headers = {}, id = 'qb-body') =>
    send(server.port, `${AUTH}/verify/${id}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  t.is((await json({ IdP_user_ID: Number(account.id), IdP_token: token })).status, 200);
  t.is((await json({ IdP_token: token }, { 'IdP-token': 'another' })).status, 400);
  t.is((await json({ IdP_token: [token] })).status, 401);
  t.is((await json({ IdP_token: token }, {}, 'nobody')).status, 404);
  t.is((await json({ IdP_token: token }, {}, 'news')).status, 404);
});

test('security 194: a credential in the query is in no log line', async (t) => {
  const account = await server.makeAccount();
  const token = await obtainToken(server, account, { clientId: 'qb-query', redirectUri: APP });
  t.is((await createQuickBlox(server, byQuery).createSession({ login: account.id, password: token })).status, 201);
  t.false(server.lines.some((line) => line.includes(token)));
});
