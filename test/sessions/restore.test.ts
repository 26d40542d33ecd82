// Last night's backup knows nothing of what was revoked or used up since. It is played here by the rows themselves: kept,
// ended, and put back.

import test from 'ava';
import { runCauseway } from '../commands/setup.ts';
import { checkTokenError, startConformance } from '../support/conformance.ts';
import { putClients, REDIRECT, signedInReader } from '../support/relying_party.ts';
import { HOSTS } from '../support/server.ts';

const on = await startConformance();
test.after.always(() => on.server.close());
const { builder } = on.server.services.db;
// Parents before children.
const TABLES = [
  'sessions',
  'domain_sessions',
  'token_families',
  'authorization_codes',
  'access_tokens',
  'refresh_tokens',
];

async function backUp() {
  for (const table of TABLES) await builder.raw('create table ?? as table ??', [`kept_${table}`, table]);
}
async function restore() {
  for (const table of [...TABLES].reverse()) await builder(table).delete();
  for (const table of TABLES) await builder.raw('insert into ?? select * from ??', [table, `kept_${table}`]);
}
const end = (...args: string[]) =>
  runCauseway(on.server.database.url, ['sessions', 'end', ...args], {
    env: { CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1' },
  });
const databaseTime = async (): Promise<Date> => {
  const { rows } = await builder.raw(`select causeway_now() + interval '1 millisecond' as now`);
  return rows[0].now;
};

test.serial(
  'security 200: after a restore one command ends the sessions, codes and tokens of before; new sign-ins are untouched',
  async (t) => {
    const { first } = on;
    const signedOut = await signedInReader(on.server);
    const online = await first.signIn(signedOut.browser);
    const offline = await first.signIn((await signedInReader(on.server)).browser, {
      scope: 'openid offline_access',
      prompt: 'consent',
    });
    const used = (await first.authorize(signedOut.browser)).answer?.get('code');
    const cookies = signedOut.browser.cookieHeader(HOSTS.auth);
    await backUp();

    // The day after the backup.
    t.is((await first.redeem(used)).status, 200);
    t.is((await first.post('/oauth/revoke', { token: offline.refresh_token })).status, 200);
    await signedOut.browser.fetch(`http://${HOSTS.auth}/api/auth/v1/logout`);
    t.is((await signedOut.browser.me(`http://${HOSTS.auth}`)).status, 401);
    checkTokenError(await first.refresh(offline.refresh_token), 'invalid_grant');

    await restore();
    const [row] = await builder('sessions').where({ account_id: signedOut.account.id });
    t.truthy(row, 'what was signed out is back');
    t.is(
      await builder('authorization_codes')
        .whereNull('consumed_at')
        .then((rows) => rows.length),
      1,
      'so is the used code',
    );
    t.is((await first.userinfo(offline.access_token)).status, 200, 'and the revoked token');
    const moment = await databaseTime();
    const fresh = await signedInReader(on.server);
    const freshTokens = await first.signIn(fresh.browser);

    const ran = await end('--all', '--yes', '--before', moment.toISOString());
    t.is(ran.code, 0, ran.stderr);
    t.is(ran.stdout, 'test: 2 sessions ended, and the tokens of 1 grant besides\n');
    t.deepEqual(await builder('sessions').pluck('account_id'), [fresh.account.id]);
    t.is((await signedOut.browser.me(`http://${HOSTS.auth}`, { cookies })).status, 401);
    checkTokenError(await first.redeem(used), 'invalid_grant');
    for (const tokens of [online, offline]) {
      checkTokenError(await first.refresh(tokens.refresh_token), 'invalid_grant');
      t.is((await first.userinfo(tokens.access_token)).status, 401);
    }
    t.is((await fresh.browser.me(`http://${HOSTS.auth}`)).status, 200);
    t.is((await first.userinfo(freshTokens.access_token)).status, 200);
    t.is((await first.refresh(freshTokens.refresh_token)).status, 200);
    t.truthy((await first.signIn((await signedInReader(on.server)).browser)).access_token);
    const [event] = await builder('audit_events').where({ type: 'grants.ended' }).pluck('detail');
    t.deepEqual(event, { before: moment.toISOString(), count: 1 });
  },
);

test.serial(
  'security 200: without a realm it is every realm, with one that realm alone; a moment must be whole',
  async (t) => {
    await on.server.apply('realms: [{ slug: other, auth_domain: auth.other.localhost, clients: [] }]');
    await putClients(on.server, [{ id: 'x', redirect_uris: [REDIRECT] }]);
    const reader = await signedInReader(on.server);
    const moment = (await databaseTime()).toISOString();
    const other = await end('--all', '--yes', '--before', moment, '--realm', 'other');
    t.is(other.stdout, 'other: 0 sessions ended, and the tokens of 0 grants besides\n', other.stderr);
    t.is((await reader.browser.me(`http://${HOSTS.auth}`)).status, 200);
    for (const [args, says] of [
      [['--all', '--yes'], /needs --realm, unless --all --before/],
      [['--before', moment], /needs one of --email, --id and --all/],
      [['--all', '--yes', '--before', 'yesterday'], /write date, time and time zone/],
      [['--all', '--yes', '--before', '2026-11-26T05:00:00'], /write date, time and time zone/],
      [['--all', '--yes', '--before', '2026-13-26T05:00:00Z'], /write date, time and time zone/],
      [['--all', '--before', moment], /add --yes/],
      [['--email', 'a@b.example', '--before', moment], /cannot be used with/],
    ] as const) {
      const refused = await end(...args);
      t.is(refused.code, 2, refused.stderr);
      t.regex(refused.stderr, says);
    }
    t.is((await reader.browser.me(`http://${HOSTS.auth}`)).status, 200);
    const every = await end('--all', '--yes', '--before', moment);
    t.deepEqual(
      every.stdout
        .split('\n')
        .map((line) => line.split(':')[0])
        .filter(Boolean)
        .sort(),
      ['other', 'test'],
    );
    t.is((await reader.browser.me(`http://${HOSTS.auth}`)).status, 401);
  },
);
