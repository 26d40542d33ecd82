// Rotation of refresh tokens over two nodes: one successor, reuse ends the family everywhere and for good. One after the
// other, because the clock is moved.

import test from 'ava';
import { checkTokenAnswer, checkTokenError, REALM } from '../support/conformance.ts';
import { insist } from '../support/raw.ts';
import { createRelyingParty, putClients, signedInReader } from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';

const one = await startTestServer({ yaml: REALM });
const two = await startTestServer({ database: one.database });
const plain = { require_pkce: false, consent: 'implied', scopes: ['openid', 'email', 'offline_access'] };
await putClients(one, [
  { id: 'rp', ...plain },
  { id: 'other', ...plain },
  { id: 'jwt', ...plain, access_token: { format: 'jwt' } },
]);
const ports = [one.port, two.port];
const rp = createRelyingParty(one, 'rp', { ports });
const other = createRelyingParty(one, 'other', { ports });
test.after.always(async () => {
  await two.close();
  await one.close();
});
const begin = async (who = rp, scope = 'openid email') =>
  who.signIn((await signedInReader(one, ports)).browser, { scope });

test.serial(
  'security 108, 109: 100 parallel refreshes of one token over two nodes give every caller the same successor',
  async (t) => {
    const { refresh_token: first } = await begin();
    const answers = await Promise.all(Array.from({ length: 100 }, () => insist(() => rp.refresh(first))));
    t.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const successors = new Set(answers.map((answer) => answer.json().refresh_token));
    t.is(successors.size, 1);
    const [second] = successors;
    t.not(second, first);
    const third = checkTokenAnswer(await rp.refresh(second)).refresh_token ?? '';

    // Later, somebody presents the first one again: the whole family dies, on both nodes. (After a restart: restart.test.ts.)
    await one.database.moveClock(11);
    checkTokenError(await createRelyingParty(one, 'rp', { ports: [one.port] }).refresh(first), 'invalid_grant');
    for (const port of ports) {
      const at = createRelyingParty(one, 'rp', { ports: [port] });
      for (const token of [first, second, third]) checkTokenError(await at.refresh(token), 'invalid_grant');
      for (const answer of answers.slice(0, 3)) t.is((await at.userinfo(answer.json().access_token)).status, 401);
    }
    t.is(await countRows(one, 'audit_events', { type: 'refresh.reused' }), 1);
  },
);

test.serial(
  'security 109: inside the window the predecessor gives the same successor; once that was used, it ends the family',
  async (t) => {
    const { refresh_token: first } = await begin();
    const second = checkTokenAnswer(await rp.refresh(first)).refresh_token ?? '';
    t.is(checkTokenAnswer(await rp.refresh(first)).refresh_token, second);
    const third = checkTokenAnswer(await rp.refresh(second)).refresh_token ?? '';
    checkTokenError(await rp.refresh(first), 'invalid_grant');
    checkTokenError(await rp.refresh(third), 'invalid_grant');
  },
);

test.serial(
  'security 109: after the window the predecessor ends the family, although the successor was never used',
  async (t) => {
    const { refresh_token: first } = await begin();
    const second = checkTokenAnswer(await rp.refresh(first)).refresh_token ?? '';
    await one.database.moveClock(11);
    checkTokenError(await rp.refresh(first), 'invalid_grant');
    checkTokenError(await rp.refresh(second), 'invalid_grant');
    t.pass();
  },
);

test.serial(
  'security 111: a refresh token works for its client alone, and a foreign try harms nothing; scopes only narrow',
  async (t) => {
    const { refresh_token: first } = await begin();
    checkTokenError(await other.refresh(first), 'invalid_grant');
    checkTokenError(await rp.refresh(first, { scope: 'openid email offline_access' }), 'invalid_scope');
    const narrowed = checkTokenAnswer(await rp.refresh(first, { scope: 'openid' }));
    t.is(narrowed.scope, 'openid');
    t.deepEqual(Object.keys((await rp.userinfo(narrowed.access_token)).json()), ['sub']);
  },
);

test.serial(
  'security 111: refresh tokens without offline_access die with the session, those with it outlive it',
  async (t) => {
    const { account, browser } = await signedInReader(one, ports);
    const online = await rp.signIn(browser, { scope: 'openid' });
    const offline = await rp.signIn(browser, { scope: 'openid offline_access' });
    await one.services.db.transaction((q) =>
      one.services.sessions.revokeAllOf(
        q,
        { realmId: account.realmId, accountId: account.id },
        { reason: 'operator', address: null },
      ),
    );
    checkTokenError(await rp.refresh(online.refresh_token), 'invalid_grant');
    t.is((await rp.userinfo(online.access_token)).status, 401);
    t.is((await rp.refresh(offline.refresh_token)).status, 200);
  },
);

test.serial('security 111: a family is over after its absolute limit, with every token of it', async (t) => {
  const tokens = await begin(rp, 'openid offline_access');
  await one.database.moveClock(181 * 86_400);
  checkTokenError(await rp.refresh(tokens.refresh_token), 'invalid_grant');
  t.is((await rp.userinfo(tokens.access_token)).status, 401);
});

test.serial('security 95, 115: a disabled account gets no codes, no tokens and no answers', async (t) => {
  const { account, browser } = await signedInReader(one, ports);
  const tokens = await rp.signIn(browser, { scope: 'openid offline_access' });
  const waiting = await rp.authorize(browser, { scope: 'openid' });
  await one.services.db
    .builder('accounts')
    .where({ id: account.id })
    .update({ disabled_at: one.services.db.builder.raw('causeway_now()') });
  checkTokenError(await rp.redeem(waiting.answer?.get('code')), 'invalid_grant');
  checkTokenError(await rp.refresh(tokens.refresh_token), 'invalid_grant');
  t.is((await rp.userinfo(tokens.access_token)).status, 401);
  t.deepEqual((await rp.post('/oauth/introspect', { token: tokens.access_token })).json(), { active: false });
  t.is((await rp.authorize(browser, { prompt: 'none' })).answer?.get('error'), 'login_required');
});
