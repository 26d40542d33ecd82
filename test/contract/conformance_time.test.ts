// The certification modules in which time passes, of the Basic and the Form Post profile: the database's clock is moved
// instead of waiting. One after the other, because the clock is the file's.

import assert from 'node:assert/strict';
import test from 'ava';
import { checkTokenError, completeFlow, fullReader, startConformance } from '../support/conformance.ts';
import type { Parameters } from '../support/relying_party.ts';

const on = await startConformance();
test.after.always(() => on.server.close());
let moved = 0;
async function pass(seconds: number) {
  await on.server.database.moveClock(seconds);
  moved += seconds;
}

for (const mode of ['query', 'form_post'] as const) {
  const suffix = mode === 'query' ? '' : ' (Form Post)';
  const ask = (changes: Parameters = {}): Parameters =>
    mode === 'query' ? changes : { response_mode: mode, ...changes };

  test.serial(
    `oidcc-prompt-login${suffix}: prompt=login asks again despite a session, and auth_time is later`,
    async (t) => {
      const { account, browser } = await fullReader(on.server);
      const before = await completeFlow(on.first, browser, ask(), { skewSeconds: moved });
      await pass(2);
      const { outcome, id } = await completeFlow(on.first, browser, ask({ prompt: 'login' }), {
        account,
        skewSeconds: moved,
      });
      t.deepEqual(outcome.pages, ['login']);
      t.true(Number(id.payload['auth_time']) > Number(before.id.payload['auth_time']));
      t.is(id.payload['sub'], before.id.payload['sub']);
    },
  );

  test.serial(
    `oidcc-max-age-1${suffix}: a sign-in older than max_age is asked for again, and auth_time is recent and later`,
    async (t) => {
      const { account, browser } = await fullReader(on.server);
      const before = await completeFlow(on.first, browser, ask(), { skewSeconds: moved });
      await pass(2);
      const { outcome, id } = await completeFlow(on.first, browser, ask({ max_age: '1' }), {
        account,
        skewSeconds: moved,
      });
      t.deepEqual(outcome.pages, ['login']);
      t.true(Number(id.payload['auth_time']) > Number(before.id.payload['auth_time']));
      t.true(Math.abs(Number(id.payload['auth_time']) - moved - Date.now() / 1000) < 30);
    },
  );

  test.serial(
    `oidcc-max-age-10000${suffix}: a recent enough sign-in is not asked for again, and auth_time stays`,
    async (t) => {
      const { browser } = await fullReader(on.server);
      const before = await completeFlow(on.first, browser, ask({ max_age: '15000' }), { skewSeconds: moved });
      await pass(2);
      const { outcome, id } = await completeFlow(on.first, browser, ask({ max_age: '10000' }), { skewSeconds: moved });
      t.deepEqual(outcome.pages, []);
      t.is(typeof id.payload['auth_time'], 'number');
      t.is(id.payload['auth_time'], before.id.payload['auth_time']);
      t.is(id.payload['sub'], before.id.payload['sub']);
    },
  );

  test.serial(
    `oidcc-codereuse-30seconds${suffix}: a code used again after 30 s is refused, and the first access token is revoked`,
    async (t) => {
      const { browser } = await fullReader(on.server);
      const { code, tokens } = await completeFlow(on.first, browser, ask(), { skewSeconds: moved });
      await pass(30);
      assert.equal((await on.first.userinfo(tokens.access_token)).status, 200);
      checkTokenError(await on.first.redeem(code), 'invalid_grant');
      t.is((await on.first.userinfo(tokens.access_token)).status, 401);
      if (tokens.refresh_token) checkTokenError(await on.first.refresh(tokens.refresh_token), 'invalid_grant');
    },
  );
}

test.serial(
  'security 85: max_age=0 asks again at once, and a sign-in that is newer than the request satisfies it',
  async (t) => {
    const { account, browser } = await fullReader(on.server);
    const { outcome } = await completeFlow(on.first, browser, { max_age: '0' }, { account, skewSeconds: moved });
    t.deepEqual(outcome.pages, ['login']);
  },
);

test.serial(
  'security 85, 14: a request that was sealed in another browser does not make an older sign-in a fresh one',
  async (t) => {
    const { browser } = await fullReader(on.server);
    const other = on.server.browser();
    // The attacker's own browser, signed out, gets the sealed form of a request that demands a fresh sign-in.
    const asked = await on.first.authorize(other, { prompt: 'login' });
    const handle = /name="handle" value="([^"]*)"/.exec(asked.last.text)?.[1] ?? '';
    const sealed = JSON.parse(Buffer.from(handle.split('.')[1] ?? '', 'base64url').toString('utf8')).p;
    t.regex(sealed, /^\/oauth\/authorize\?carried=/);
    await pass(1);
    const answer = await browser.navigate(`http://auth.test.localhost${sealed}`, { from: 'https://evil.example/' });
    t.is(answer.status, 303);
    t.regex(answer.location ?? '', /\/login\?/, 'the reader is asked, although signed in before the request');
  },
);
