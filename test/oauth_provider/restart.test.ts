// Two server processes over one database that die without warning and are started again. What they had acknowledged holds:
// what lived works on both, what was ended stays ended. One after the other: the clock is moved, and nodes die.

import { createHash } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import type { Answer, Browser } from '../support/browser.ts';
import { checkTokenAnswer, checkTokenError, type Tokens } from '../support/conformance.ts';
import { createDatabase } from '../support/database.ts';
import { PROCESS_SECRET, spawnNodes } from '../support/process.ts';
import { insist, postJson, until } from '../support/raw.ts';
import { createRelyingParty, ISSUER, putClients, type RelyingParty } from '../support/relying_party.ts';
import { HOSTS, PASSWORD, startTestServer } from '../support/server.ts';
import { beginSession, inTurns, keepIn } from '../support/signed_in.ts';

const database = await createDatabase();
const direct = new pg.Client({ connectionString: database.url });
await direct.connect();
// In this process, only to make the realm and the readers: it is gone before any node is killed.
const setup = await startTestServer({ database, env: { CAUSEWAY_SECRET: PROCESS_SECRET } });
await setup.apply(
  `realms: [{ slug: test, auth_domain: ${HOSTS.auth}, settings: { sign_in_per_account: 2/15m }, clients: [] }]`,
);
const plain = { require_pkce: false, consent: 'implied', scopes: ['openid', 'email', 'offline_access'] };
await putClients(setup, [{ id: 'rp', ...plain }]);
const account = await setup.makeAccount();
const throttled = await setup.makeAccount();

/** Ports of the nodes of the moment: browsers and clients keep this list, its numbers change with every restart. */
const ports: number[] = [];
/** Browsers of one account, each signed in with a session of its own. */
const browsers = await Promise.all(
  Array.from({ length: 64 }, async () => {
    const browser = setup.browser(ports);
    keepIn(browser, await beginSession(setup, account, ['auth']));
    return browser;
  }),
);
const rp = createRelyingParty(setup, 'rp', { ports });
await setup.close();

let nodes = await start();
// The keys are made now, so that no step back of the clock below reaches a time without any.
await rp.get('/oauth/jwks');
await database.moveClock(3600);
test.after.always(async () => {
  await nodes.kill();
  await direct.end();
  await database.drop();
});

async function start() {
  const started = await spawnNodes({ DATABASE_URL: database.url });
  ports.splice(0, ports.length, ...started.ports);
  return started;
}

async function restart() {
  await nodes.kill();
  nodes = await start();
}

const takeBrowser = () => browsers.pop() as Browser;
const begin = async (browser = takeBrowser(), scope = 'openid email offline_access'): Promise<Tokens> =>
  rp.signIn(browser, { scope });
const refreshed = async (token: string | undefined) => checkTokenAnswer(await rp.refresh(token ?? ''));
/** The client at each of the two nodes. */
const everywhere = () => ports.map((port) => createRelyingParty(setup, 'rp', { ports: [port] }));

/** An access token is refused wherever it is shown. */
async function isDead(t: ExecutionContext, token: string, what = '') {
  for (const node of everywhere()) {
    t.deepEqual((await node.post('/oauth/introspect', { token })).json(), { active: false }, what);
    t.is((await node.userinfo(token)).status, 401, what);
  }
}

/** An access token is taken on both nodes. */
async function isAlive(t: ExecutionContext, token: string, what = '') {
  for (const node of everywhere()) {
    t.true((await node.post('/oauth/introspect', { token })).json().active, what);
    t.is((await node.userinfo(token)).status, 200, what);
  }
}

/** A refresh token is refused on both nodes. */
async function isRefused(t: ExecutionContext, token: string | undefined, what = '') {
  for (const node of everywhere()) {
    checkTokenError(await node.refresh(token ?? ''), 'invalid_grant');
    t.deepEqual((await node.post('/oauth/introspect', { token })).json(), { active: false }, what);
  }
}

test.serial(
  'security 108, 110: 100 parallel refreshes over two processes have one successor; replayed later the family is dead on both, and still when both were killed and started again',
  async (t) => {
    const [burnt, spared] = [await begin(), await begin()];
    const answers = (
      await Promise.all(Array.from({ length: 100 }, () => insist(() => rp.refresh(burnt.refresh_token ?? ''))))
    ).map(checkTokenAnswer);
    const successors = [...new Set(answers.map(({ refresh_token }) => refresh_token))];
    t.is(successors.length, 1);
    const third = await refreshed(successors[0]);
    const kept = await refreshed(spared.refresh_token);

    await database.moveClock(11);
    checkTokenError(await (everywhere()[0] as RelyingParty).refresh(burnt.refresh_token ?? ''), 'invalid_grant');
    const refreshTokens = [burnt.refresh_token, successors[0], third.refresh_token];
    const accessTokens = [burnt, ...answers, third].map(({ access_token }) => access_token);
    t.is(new Set(accessTokens).size, 102);
    for (const token of refreshTokens) await isRefused(t, token);
    await isDead(t, third.access_token);

    await restart();
    for (const token of refreshTokens) await isRefused(t, token);
    await inTurns(accessTokens.length, 8, (index) => isDead(t, accessTokens[index] as string));
    // What nobody replayed goes on, from either node to the other.
    await isAlive(t, kept.access_token);
    const [one, two] = everywhere() as [RelyingParty, RelyingParty];
    const next = checkTokenAnswer(await two.refresh(kept.refresh_token ?? ''));
    checkTokenAnswer(await one.refresh(next.refresh_token ?? ''));
    await isAlive(t, next.access_token);
  },
);

test.serial(
  'security 110, reliability R-2: a token that was revoked (RFC 7009 §2) is refused on both nodes after both were killed, and others are not',
  async (t) => {
    const [byRefresh, byAccess, spared] = [await begin(), await begin(), await begin()];
    const [one, two] = everywhere() as [RelyingParty, RelyingParty];
    t.is((await one.post('/oauth/revoke', { token: byRefresh.refresh_token })).status, 200);
    t.is((await two.post('/oauth/revoke', { token: byAccess.access_token })).status, 200);
    await restart();
    await isRefused(t, byRefresh.refresh_token);
    await isDead(t, byRefresh.access_token);
    await isDead(t, byAccess.access_token);
    await isAlive(t, spared.access_token);
    for (const { refresh_token } of [byAccess, spared]) await isAlive(t, (await refreshed(refresh_token)).access_token);
  },
);

/** States of a sign-in: how it gets there, and what must be true of it after the restart. */
type State = (t: ExecutionContext, browser: Browser) => Promise<(what: string) => Promise<void>>;
const LOGOUT = `${ISSUER}/api/auth/v1/logout`;
const STATES: Readonly<Record<string, State>> = {
  'signed in': async (t, browser) => async (what) => {
    for (let turn = 0; turn < 2; turn++) t.is((await browser.me(ISSUER)).status, 200, what);
  },
  'signed out': async (t, browser) => {
    const [online, offline] = [await begin(browser, 'openid'), await begin(browser)];
    const cookies = browser.cookieHeader(HOSTS.auth);
    t.is((await browser.fetch(LOGOUT)).status, 204);
    return async (what) => {
      for (let turn = 0; turn < 2; turn++) t.is((await browser.me(ISSUER, { cookies })).status, 401, what);
      await isRefused(t, online.refresh_token, what);
      await isDead(t, online.access_token, what);
      await refreshed(offline.refresh_token);
    };
  },
  'with a code that waits': async (t, browser) => {
    const code = (await rp.authorize(browser, { scope: 'openid' })).answer?.get('code');
    return async (what) => isAlive(t, checkTokenAnswer(await rp.redeem(code)).access_token, what);
  },
  'with a code that was used': async (t, browser) => {
    const code = (await rp.authorize(browser, { scope: 'openid' })).answer?.get('code');
    const tokens = checkTokenAnswer(await rp.redeem(code));
    return async (what) => {
      await isAlive(t, tokens.access_token, what);
      for (const node of everywhere()) checkTokenError(await node.redeem(code), 'invalid_grant');
      await isRefused(t, tokens.refresh_token, what);
      await isDead(t, tokens.access_token, what);
    };
  },
  'with a refresh token that was replaced': async (t, browser) => {
    const tokens = await refreshed((await begin(browser)).refresh_token);
    return async (what) => isAlive(t, (await refreshed(tokens.refresh_token)).access_token, what);
  },
  'with a family that was burnt': async (t, browser) => {
    const first = await begin(browser);
    const third = await refreshed((await refreshed(first.refresh_token)).refresh_token);
    checkTokenError(await rp.refresh(first.refresh_token ?? ''), 'invalid_grant');
    return async (what) => {
      await isRefused(t, third.refresh_token, what);
      await isDead(t, third.access_token, what);
    };
  },
};

test.serial(
  'reliability R-2: after both nodes were killed and started again 48 sign-ins in six states are what they were, and a lock on tries still holds',
  async (t) => {
    const tryToSignIn = (password: string) =>
      postJson(ports[0] as number, `${ISSUER}/api/auth/v1/login`, { email: throttled.email, password });
    for (const status of [401, 401, 429]) t.is((await tryToSignIn('wrong')).status, status);
    const states = Object.entries(STATES).flatMap((state) => Array.from({ length: 8 }, () => state));
    const checks: (() => Promise<void>)[] = [];
    await inTurns(states.length, 6, async (index) => {
      const [what, reach] = states[index] as [string, State];
      const check = await reach(t, takeBrowser());
      checks.push(() => check(what));
    });
    await restart();
    await inTurns(checks.length, 6, async (index) => checks[index]?.());
    t.is((await tryToSignIn(PASSWORD)).status, 429);
  },
);

/** Whether a refresh token has a successor, and how many tokens of its family can still be used. */
async function familyOf(token: string): Promise<{ isUsed: boolean; unused: number }> {
  const { rows } = await direct.query(
    `select bool_or(r.token_hash = $1 and r.used_at is not null) as is_used, count(*) filter (where r.used_at is null)::integer as unused
       from refresh_tokens r join refresh_tokens given on given.family_id = r.family_id where given.token_hash = $1`,
    [createHash('sha256').update(token).digest()],
  );
  return { isUsed: rows[0].is_used, unused: rows[0].unused };
}

const MOMENTS: readonly [title: string, isDue: (token: string, answered: number) => boolean | Promise<boolean>][] = [
  ['as soon as a successor is stored', async (token) => (await familyOf(token)).isUsed],
  ['after the first answer', (_, answered) => answered >= 1],
  ['after 30 answers', (_, answered) => answered >= 30],
  ['after 80 answers', (_, answered) => answered >= 80],
];

for (const [moment, isDue] of MOMENTS) {
  test.serial(
    `security 108, reliability R-2: both nodes killed within 100 parallel refreshes, ${moment}: one chain lives, and it is the one that was given out`,
    async (t) => {
      const first = (await begin()).refresh_token ?? '';
      const answers: Answer[] = [];
      let broken = 0;
      // Whoever is answered asks again, within the grace: whenever the nodes are killed, all of them are waiting.
      const all = Array.from({ length: 100 }, async () => {
        while (broken === 0)
          await insist(() => rp.refresh(first)).then(
            (answer) => void answers.push(answer),
            () => void broken++,
          );
      });
      await until(() => isDue(first, answers.length));
      await restart();
      await Promise.all(all);
      t.log(`${answers.length} answered, ${broken} broken off`);
      t.true(broken > 0, 'killed while requests were under way');
      t.is((await familyOf(first)).unused, 1);

      // The restart takes longer than a client that lost its answer waits: on the database's clock it took no time.
      await database.moveClock(-30);
      const again = await Promise.all(Array.from({ length: 10 }, () => rp.refresh(first)));
      const given = new Set([...answers, ...again].map((answer) => checkTokenAnswer(answer).refresh_token));
      t.is(given.size, 1);
      t.is((await familyOf(first)).unused, 1);

      // Reuse is still known: once the successor was used, the first token ends everything.
      const [second] = given;
      const third = await refreshed(second);
      checkTokenError(await rp.refresh(first), 'invalid_grant');
      for (const token of [first, second, third.refresh_token]) await isRefused(t, token);
      await isDead(t, third.access_token);
    },
  );
}
