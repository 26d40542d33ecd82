import test from 'ava';
import { type AccountId, asHost } from '../../server/lib/ids.ts';
import { authorizeUrl } from '../support/browser.ts';
import { HOSTS, originOf, PASSWORD, REALM_YAML, startTestServer } from '../support/server.ts';
import { beginSession, countRows, inTurns, keepIn } from '../support/signed_in.ts';

const YAML = REALM_YAML.replace(
  'signup: open',
  'signup: open, sign_in_per_account: 100000/1h, sign_in_per_address: 100000/1h',
);
const server = await startTestServer({ yaml: YAML });
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const [NEWS, SPORTS, AUTH] = [originOf('news'), originOf('sports'), originOf('auth')];

test.serial(
  'reliability R-20: 1,000 sign-outs on one node, and not one use on the other node right after is accepted',
  async (t) => {
    const account = await server.makeAccount();
    const [one, other] = [server.browser([server.port]), server.browser([second.port])];
    const refusals = { me: 0, authorize: 0 };
    await inTurns(1000, 6, async () => {
      const { cookies } = await beginSession(server, account, ['auth', 'news']);
      const out = await one.fetch(`${NEWS}/api/auth/v1/logout`, { cookies: String(cookies['news']) });
      const [me, authorize] = await Promise.all([
        other.me(NEWS, { cookies: String(cookies['news']) }),
        other.navigate(authorizeUrl(AUTH, 'news', `${NEWS}/`, { redirect_uri: `${NEWS}/api/auth/v1/oauth/token` }), {
          from: NEWS,
          cookies: String(cookies['auth']),
        }),
      ]);
      if (out.status !== 204) throw new Error(`sign-out: ${out.status}`);
      if (me.status === 401) refusals.me++;
      if (authorize.location?.startsWith(`${AUTH}/login?`)) refusals.authorize++;
    });
    t.deepEqual(refusals, { me: 1000, authorize: 1000 });
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
  },
);

test.serial(
  'security 70, reliability R-21: 200 races of a sign-out on one node with the redemption of a code on the other leave no live session',
  async (t) => {
    const account = await server.makeAccount();
    const landed = { first: 0, late: 0 };
    await inTurns(200, 4, async () => {
      const session = await beginSession(server, account, ['auth', 'news']);
      const browser = server.browser([second.port]);
      keepIn(browser, session);
      const started = await browser.navigate(authorizeUrl(SPORTS, 'sports', `${SPORTS}/`), { from: `${SPORTS}/` });
      const coded = await browser.navigate(String(started.location), { from: SPORTS });
      const [landing, out] = await Promise.all([
        browser.navigate(String(coded.location), { from: AUTH }),
        server.browser().fetch(`${NEWS}/api/auth/v1/logout`, { cookies: String(session.cookies['news']) }),
      ]);
      if (out.status !== 204 || landing.status >= 500) throw new Error(`${out.status} ${landing.status}`);
      landed[
        landing.cookies.some((line) => /^qt-auth=./.test(line) && !line.includes('Max-Age=0')) ? 'first' : 'late'
      ]++;
      const me = await Promise.all([SPORTS, NEWS, AUTH].map((site) => browser.me(site)));
      if (me.some(({ status }) => status !== 401))
        throw new Error(`alive after both returned: ${me.map(({ status }) => status)}`);
    });
    t.is(landed.first + landed.late, 200);
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
    t.is(await countRows(server, 'domain_sessions', { host: HOSTS.sports }), 0);
  },
);

test.serial('security 70: a code from before a sign-out makes no session after it', async (t) => {
  const account = await server.makeAccount();
  const session = await beginSession(server, account, ['auth', 'news']);
  const browser = server.browser([server.port, second.port]);
  keepIn(browser, session);
  const started = await browser.navigate(authorizeUrl(SPORTS, 'sports', `${SPORTS}/`), { from: `${SPORTS}/` });
  const coded = await browser.navigate(String(started.location), { from: SPORTS });
  t.true(coded.location?.includes('code='));
  t.is((await browser.fetch(`${NEWS}/api/auth/v1/logout`)).status, 204);
  const landing = await browser.follow(String(coded.location), { from: AUTH });
  t.true(landing.hops.at(-1)?.startsWith(`${AUTH}/login?`), landing.hops.join(' '));
  t.is((await browser.me(SPORTS)).status, 401);
});

test.serial(
  "reliability R-21: 50 races of a sign-out with the same reader's sign-in by password leave nothing of the session that was signed out",
  async (t) => {
    const account = await server.makeAccount();
    let after = 0;
    await inTurns(50, 4, async () => {
      const session = await beginSession(server, account, ['news', 'sports']);
      const browser = server.browser([second.port]);
      const [signedIn, out] = await Promise.all([
        browser.post(
          `${NEWS}/api/auth/v1/login`,
          { email: account.email, password: PASSWORD },
          { cookies: String(session.cookies['news']) },
        ),
        server.browser().fetch(`${SPORTS}/api/auth/v1/logout`, { cookies: String(session.cookies['sports']) }),
      ]);
      if (signedIn.status !== 200 || out.status !== 204) throw new Error(`${signedIn.status} ${out.status}`);
      for (const site of ['news', 'sports'] as const) {
        const old = await browser.me(originOf(site), { cookies: String(session.cookies[site]) });
        if (old.status !== 401) throw new Error(`the old credential of ${site} is alive`);
      }
      if ((await countRows(server, 'sessions', { id: session.id })) !== 0) throw new Error('the session is alive');
      // Whose password came after the sign-out has signed in after it; that is another session.
      const token = /^qt-auth=([^;]*)/.exec(signedIn.cookies[0] ?? '')?.[1];
      if ((await browser.me(NEWS, { cookies: null, headers: { 'x-qt-auth': String(token) } })).status === 200) after++;
    });
    t.is(await countRows(server, 'sessions', { account_id: account.id }), after);
  },
);

test.serial('reliability R-21: a sign-in with a password that was changed meanwhile begins nothing', async (t) => {
  const account = await server.makeAccount();
  const { attempt, proof } = await passwordProof(account);
  t.like(await server.services.login.completePassword(attempt, proof), { ok: true, kind: 'session' });
  await changePassword(account.id, await server.services.passwords.hash('another long password'));
  t.deepEqual(await server.services.login.completePassword(attempt, proof), { ok: false, reason: 'wrong' });
  t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
});

test.serial('reliability R-21: 200 races of a proven password with its change leave no live session', async (t) => {
  const account = await server.makeAccount();
  const { attempt, proof } = await passwordProof(account);
  const other = await server.services.passwords.hash('another long password');
  const began = { before: 0, refused: 0 };
  for (let round = 0; round < 200; round++) {
    const [outcome] = await Promise.all([
      second.services.login.completePassword(attempt, proof),
      changePassword(account.id, other),
    ]);
    began[outcome.ok ? 'before' : 'refused']++;
    t.is(await countRows(server, 'sessions', { account_id: account.id }), 0);
    await server.services.db
      .builder('accounts')
      .where({ id: account.id })
      .update({ password_hash: proof.passwordHash });
  }
  t.log(began);
  t.true(began.before > 0 && began.refused > 0, 'the race was never a race');
});

/** What a sign-in with the right password knows when it comes to begin the session. */
async function passwordProof(account: { id: AccountId; email: string }) {
  const realm = await server.realm();
  const found = await server.services.accounts.findForSignIn(realm.id, account.email);
  const attempt = {
    realm,
    host: asHost(HOSTS.auth),
    address: null,
    userAgent: null,
    locale: 'en',
    deviceCookie: null,
    browser: null,
    current: null,
  };
  return { attempt, proof: { accountId: account.id, amr: ['pwd'], passwordHash: found?.passwordHash ?? '' } };
}

/** As every change of a password does it: the new hash first, then the end of all sessions, in one transaction. */
async function changePassword(id: AccountId, hash: string) {
  const { db, sessions } = server.services;
  const realm = await server.realm();
  await db.transaction(async (q) => {
    await q.builder('accounts').where({ id }).update({ password_hash: hash });
    await sessions.revokeAllOf(q, { realmId: realm.id, accountId: id }, { reason: 'password-changed', address: null });
  });
}
