import test from 'ava';
import { decodeJwt } from 'jose';
import { runCauseway } from '../../commands/setup.ts';
import { type Jwks, verifyJws } from '../../support/jws_verifier.ts';
import { receiptsOf, retryNow, statesOf, untilReceipt } from '../../support/logout_sink.ts';
import { originOf, PASSWORD } from '../../support/server.ts';
import { signedInBrowser } from '../../support/signed_in.ts';
import { startWithSink, visit } from './setup.ts';

const ALGS = ['RS256', 'ES256', 'EdDSA'] as const;
const { sink, server, close } = await startWithSink([
  ...ALGS.map((alg) => ({ id: alg.toLowerCase(), more: `, id_token_signed_response_alg: ${alg}` })),
  ...['told', 'other', 'no-content', 'refuses', 'flaky', 'redirects', 'broken', 'gone'].map((id) => ({ id })),
  { id: 'deaf', isUntold: true },
]);
test.after.always(close);
const [AUTH, NEWS] = [originOf('auth'), originOf('news')];
const signOut = (browser: { fetch(url: string): Promise<unknown> }) => browser.fetch(`${AUTH}/api/auth/v1/logout`);

for (const alg of ALGS) {
  test(`security 130, Back-Channel Logout §2.4, §2.5: the logout token is posted alone and says exactly what it must (${alg})`, async (t) => {
    const { account, session, browser } = await signedInBrowser(server, ['auth']);
    const client = alg.toLowerCase();
    const hint = decodeJwt((await visit(server, browser, [client]))[client] as string);
    await signOut(browser);
    const [call] = await sink.untilCalled(client, 1, session.id);
    t.is(call!.method, 'POST');
    t.is(call!.headers['content-type'], 'application/x-www-form-urlencoded');
    t.deepEqual([...new URLSearchParams(call!.body).keys()], ['logout_token']);
    t.is(call!.headers.cookie, undefined);
    const jwks = (await browser.ask(`${AUTH}/oauth/jwks`, { cookies: null })).json();
    const { payload, header } = verifyJws(call!.token, jwks as Jwks);
    t.deepEqual([header['alg'], header['typ']], [alg, 'logout+jwt']);
    // A nonce is prohibited (§2.4), so that no logout token passes for an ID token.
    t.deepEqual(Object.keys(payload).sort(), ['aud', 'events', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub']);
    t.is(payload['iss'], AUTH);
    t.is(payload['aud'], client);
    t.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} });
    t.is(payload['sub'], account.sub);
    t.is(payload['sub'], hint.sub);
    t.is(payload['sid'], hint['sid']);
    const [iat, exp] = [Number(payload['iat']), Number(payload['exp'])];
    t.true(exp > iat && exp - iat <= 120);
    t.true(Math.abs(iat - Date.now() / 1000) < 60);
    t.regex(String(payload['jti']), /^\S{16,}$/);
  });
}

test('security 130, Back-Channel Logout §2.4: no two logout tokens have the same jti, of one sign-out or of several', async (t) => {
  for (let round = 0; round < 3; round++) {
    const { session, browser } = await signedInBrowser(server, ['auth']);
    await visit(server, browser, ['rs256', 'es256', 'no-content']);
    await signOut(browser);
    for (const client of ['rs256', 'es256', 'no-content']) await sink.untilCalled(client, 1, session.id);
  }
  const ids = sink.calls.map(({ claims }) => claims.jti);
  t.true(ids.length >= 9 && ids.every((id) => typeof id === 'string'));
  t.is(new Set(ids).size, ids.length);
});

test('security 131, Back-Channel Logout §2.5: those are told in whose hands the session was, once each, and nobody else', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth', 'news', 'sports']);
  await visit(server, browser, ['told', 'told', 'deaf']);
  await signOut(browser);
  await untilReceipt(server, { session: session.id, client: 'told', state: 'acknowledged' });
  await untilReceipt(server, { session: session.id, client: 'news', state: 'acknowledged' });
  t.deepEqual(await statesOf(server, session.id), {
    told: 'acknowledged',
    news: 'acknowledged',
    sports: 'ended',
    deaf: 'untold',
  });
  t.deepEqual(
    sink.calls
      .filter(({ claims }) => claims['sid'] === session.id)
      .map(({ name }) => name)
      .sort(),
    ['news', 'told'],
  );
  t.is(sink.callsOf('other', session.id).length, 0);
  const [told] = (await receiptsOf(server, session.id)).filter(({ clientId }) => clientId === 'told');
  t.like(told, { attempts: 1, lastStatus: 200, lastError: null });
});

test('a session of somebody else is not told of', async (t) => {
  const [mine, other] = [await signedInBrowser(server, ['auth']), await signedInBrowser(server, ['auth'])];
  await visit(server, mine.browser, ['told']);
  await visit(server, other.browser, ['told']);
  await signOut(mine.browser);
  await sink.untilCalled('told', 1, mine.session.id);
  t.is(sink.callsOf('told', other.session.id).length, 0);
  t.is((await other.browser.me(AUTH)).status, 200);
});

const ends: [title: string, end: (reader: Awaited<ReturnType<typeof signedInBrowser>>) => Promise<unknown>][] = [
  ['signing out on a client domain', ({ browser }) => browser.fetch(`${NEWS}/api/auth/v1/logout`)],
  [
    'ending the session from the list of sessions',
    ({ browser, session }) =>
      browser.fetch(`${AUTH}/api/auth/v1/sessions/${session.id}`, {
        method: 'DELETE',
        headers: { 'Content-Type': 'application/json' },
      }),
  ],
  [
    'signing in as somebody else in the same browser',
    async ({ browser }) =>
      browser.post(`${AUTH}/api/auth/v1/login`, { email: (await server.makeAccount()).email, password: PASSWORD }),
  ],
  [
    'erasing the account',
    ({ browser }) =>
      browser.fetch(`${AUTH}/api/auth/v1/users/me`, {
        method: 'DELETE',
        headers: { 'Content-Type': 'application/json' },
      }),
  ],
  [
    'an operator who ends the sessions of the account',
    ({ account }) =>
      runCauseway(server.database.url, ['sessions', 'end', '--realm', 'test', '--email', account.email as string], {
        env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1' },
      }),
  ],
  [
    'ending all other sessions from another browser',
    async ({ account }) => {
      const other = server.browser();
      await other.post(`${AUTH}/api/auth/v1/login`, { email: account.email, password: PASSWORD });
      return other.fetch(`${AUTH}/api/auth/v1/sessions?others=true`, {
        method: 'DELETE',
        headers: { 'Content-Type': 'application/json' },
      });
    },
  ],
];
for (const [title, end] of ends) {
  test(`security 133: ${title} tells the clients of the session`, async (t) => {
    const reader = await signedInBrowser(server, ['auth', 'news']);
    await visit(server, reader.browser, ['told']);
    await end(reader);
    for (const name of ['told', 'news']) {
      const [call] = await sink.untilCalled(name, 1, reader.session.id);
      t.is(call!.claims['sub'], reader.account.sub);
    }
    await untilReceipt(server, { session: reader.session.id, client: 'told', state: 'acknowledged' });
    t.is((await reader.browser.me(NEWS)).status, 401);
  });
}

const answers: [client: string, answer: number, state: 'acknowledged' | 'refused' | 'retrying'][] = [
  ['no-content', 204, 'acknowledged'],
  ['refuses', 400, 'refused'],
  ['redirects', 302, 'retrying'],
  ['broken', 404, 'retrying'],
];
for (const [client, answer, state] of answers) {
  test(`security 131, Back-Channel Logout §2.8: ${answer} is ${state}`, async (t) => {
    const { session, browser } = await signedInBrowser(server, ['auth']);
    await visit(server, browser, [client]);
    sink.plan(client, answer);
    await signOut(browser);
    const receipt = await untilReceipt(server, { session: session.id, client, state });
    t.like(receipt, { attempts: 1, lastStatus: answer });
    t.is(sink.callsOf('redirected').length, 0);
  });
}

test('security 131: an endpoint that fails twice is called a third time, each time with a token of its own', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth']);
  await visit(server, browser, ['flaky']);
  sink.plan('flaky', 500, 503, 200);
  await signOut(browser);
  for (const attempts of [1, 2]) {
    const receipt = await untilReceipt(server, { session: session.id, client: 'flaky', state: 'retrying', attempts });
    await retryNow(server, receipt.id);
    await sink.untilCalled('flaky', attempts + 1);
  }
  const receipt = await untilReceipt(server, { session: session.id, client: 'flaky', state: 'acknowledged' });
  t.like(receipt, { attempts: 3, lastStatus: 200 });
  const calls = sink.callsOf('flaky', session.id);
  t.is(calls.length, 3);
  t.is(new Set(calls.map(({ claims }) => claims['jti'])).size, 3);
});

test('an endpoint that fails to the last is given up, and the audit log says so', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth']);
  await visit(server, browser, ['gone']);
  sink.plan('gone', 503);
  await signOut(browser);
  const receipt = await untilReceipt(server, { session: session.id, client: 'gone', state: 'retrying' });
  await retryNow(server, receipt.id, 2);
  t.like(await untilReceipt(server, { session: session.id, client: 'gone', state: 'gave-up' }), {
    attempts: 2,
    lastStatus: 503,
  });
  const events = await server.services.db
    .builder('audit_events')
    .where({ session_id: session.id, type: 'logout.undelivered' });
  t.deepEqual(
    events.map(({ client_id, detail }) => ({ client_id, detail })),
    [{ client_id: 'gone', detail: { state: 'gave-up', status: 503 } }],
  );
});

test('a session that ends before the client redeems its code is not noted for it', async (t) => {
  const { session, browser } = await signedInBrowser(server, ['auth']);
  await signOut(browser);
  const realm = await server.realm();
  const client = await server.services.clients.find(realm.id, 'told');
  await server.services.backChannelLogout.noteClient(
    server.services.db,
    { sid: session.id, clientRowId: client!.id, realmId: realm.id },
    'sub',
  );
  t.is((await server.services.db.builder('session_clients').where({ session_id: session.id })).length, 0);
});
